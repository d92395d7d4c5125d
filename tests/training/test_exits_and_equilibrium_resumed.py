"""ElasticBERT, RomeBERT and RightTool through whole trials: paused and resumed to the same bit, priced as planned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import EpochRecord
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun

Make = Callable[..., TrialSpec]

POOLED = {"exits": {"head": {"name": "pooled"}}}
SETTINGS: dict[str, dict[str, Any]] = {
    "elasticbert": POOLED,
    "elasticbert, bf16": {"method": {"name": "elasticbert"}, "precision": "bf16"},
    "romebert": {**POOLED, "micro_batch_size": 5},
    "romebert, last": {"method": {"name": "romebert", "project": "last"}, **POOLED},
    "righttool": {"exits": {"head": {"name": "scalar_mix"}}, "backbone": {"layers": 3, "pooling": "mean"}},
    "righttool, some": {
        "method": {"name": "righttool", "layers": [1, 3]},
        "exits": {"head": {"name": "scalar_mix"}},
        "backbone": {"layers": 3},
    },
}


@pytest.mark.parametrize("name", SETTINGS)
def test_pause_close_load_continue(
    name: str, trial: Make, data: TokenisedTask, numbers: Callable[[EpochRecord], dict[str, Any]], folder: Path
) -> None:
    spec = trial(**{"method": {"name": name.partition(",")[0]}} | SETTINGS[name])
    with TrialRun(spec, data) as run:
        expected = [numbers(record) for record in run]
    run = TrialRun(spec, data)
    resumed = [numbers(next(run))]
    run.save(folder)
    run.close()
    torch.randn(3)
    with TrialRun(spec, data) as again:
        again.load(folder)
        resumed.extend(numbers(record) for record in again)
    assert resumed == expected
    planned = epoch_flops(spec, data)
    assert tuple(record["train_flops"] for record in resumed) == planned.training
    assert tuple(record["eval_flops"] for record in resumed) == planned.evaluation
    trained = [1, 3] if name == "righttool, some" else list(range(1, spec.settings.backbone.options["layers"] + 1))
    assert [score["exit"] for score in resumed[-1]["exits"]] == trained


def test_the_mix_moves_in_a_trial(trial: Make, data: TokenisedTask) -> None:
    spec = trial(method={"name": "righttool"}, exits={"head": {"name": "scalar_mix"}})
    with TrialRun(spec, data) as run:
        list(run)
        weights = run._open_setup().model.head(2).weights.tolist()
    assert weights[0] != pytest.approx(0.5**0.5, abs=1e-4)
    assert sum(weight**2 for weight in weights) == pytest.approx(1)
