"""Trials whose reports are of a compressed model: priced exactly, resumed to the same numbers, served as saved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from made_settings import made_settings

from greenexp.backbones.base import TokenBatch
from greenexp.inference.engine import EarlyExitEngine
from greenexp.model import load_model, load_serving
from greenexp.plan.data import prepare_data
from greenexp.plan.flops import epoch_flops
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.training import TrialRun

BACKBONE = {"name": "bert", "layers": 4, "hidden": 16, "heads": 4, "intermediate": 20, "max_positions": 32}
CASES: list[dict[str, dict[str, Any]]] = [
    {"compression": {"name": "head_pruning", "examples": 20}, "method": {"name": "branchynet"}},
    {"compression": {"name": "unit_pruning", "examples": 20}, "method": {"name": "finetune"}},
    {"compression": {"name": "int8"}, "method": {"name": "pabee"}},
    {"compression": {"name": "magnitude_pruning", "every": 2}, "method": {"name": "finetune"}},
    {"compression": {"name": "weight_sharing", "embedding_size": 4}, "method": {"name": "branchynet"}},
    {"compression": {"name": "layer_pruning"}, "method": {"name": "layerdrop", "exits": "all"}},
]
NARROW = {"layers": 2, "hidden": 8, "heads": 4, "intermediate": 12}
TAUGHT: tuple[dict[str, Any], ...] = (
    *({"name": name, "layers": 2} for name in ("distillation", "pkd", "theseus")),
    {"name": "tinybert", "layers": 2},
    {"name": "tinybert", **NARROW},
)


def made_trial(epochs: int = 2, **sections: dict[str, Any]) -> TrialSpec:
    settings = made_settings(
        task={"name": "clauses", "train": 40, "dev": 20, "test": 20},
        backbone=BACKBONE,
        training={"epochs": epochs, "batch_size": 8, "learning_rate": 3e-3},
        **sections,
    )
    return TrialSpec("c000-i0-o0", "c000", 0, settings, {}, TrialSeeds(1, 2))


def numbers(record: Any) -> dict[str, Any]:
    kept = dataclasses.asdict(record)
    kept["costs"] = {name: kept["costs"][name] for name in ("train_flops", "eval_flops")}
    return kept


def check(trial: TrialSpec, folder: Path) -> None:
    """The plan's FLOPs, a run saved within its last epoch and resumed, and the model that was saved."""
    data = prepare_data(trial.settings)
    with TrialRun(trial, data, model_folder=folder / "model") as run:
        whole = list(run)
    planned = epoch_flops(trial, data)
    assert tuple(record.costs.train_flops for record in whole) == planned.training
    assert tuple(record.costs.eval_flops for record in whole) == planned.evaluation
    with TrialRun(trial, data) as run:
        first = next(run)
        left = iter((False, True))
        assert run.train_on(lambda: next(left)) is None
        run.save(folder / "checkpoint")
    with TrialRun(trial, data) as again:
        again.load(folder / "checkpoint")
        resumed = [first, *again]
    assert list(map(numbers, resumed)) == list(map(numbers, whole))
    model, serving = load_model(folder / "model"), load_serving(folder / "model")
    assert serving is not None
    assert (model.parameter_count(), model.weight_bytes()) == (whole[-1].parameters, whole[-1].weight_bytes)
    engine = EarlyExitEngine.load(folder / "model", {"name": "static", "exit": serving.trained_exits[-1]})
    tokens = engine.encode(["it was good", "not bad at all"])
    answers = engine.batch(tokens)
    exit_number = serving.trained_exits[-1]
    alone = model(TokenBatch(torch.tensor([tokens[0].ids])), (exit_number,))[0, 0]
    assert answers[0].exit == exit_number
    assert answers[0].logits == pytest.approx(alone.tolist(), abs=1e-6)


@pytest.mark.parametrize("sections", CASES, ids=lambda one: one["compression"]["name"])
def test_a_compressed_trial(sections: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    check(made_trial(**sections), tmp_path)


@pytest.mark.parametrize("fields", TAUGHT, ids=lambda one: " ".join(map(str, one.values())))
def test_a_taught_trial(fields: dict[str, Any], tmp_path: Path) -> None:
    teacher = made_trial(method={"name": "finetune"})
    with TrialRun(teacher, prepare_data(teacher.settings), model_folder=tmp_path / "teacher") as run:
        next(run)
    # The narrow student is interrupted in its first stage, the other one in its second.
    epochs = 3 if "hidden" in fields else 2
    check(made_trial(epochs, method={**fields, "teacher": str(tmp_path / "teacher")}), tmp_path)
