"""The same promises on a GPU, and its energy counter."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from greenexp.errors import DivergedError
from greenexp.meters import Meters, open_meters
from greenexp.meters.nvml import visible_gpus
from greenexp.records.epoch import EpochRecord
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]

Make = Callable[..., TrialSpec]
Numbers = Callable[[EpochRecord], dict[str, Any]]


def meters() -> Meters:
    return open_meters(gpus=visible_gpus(os.environ)[:1], exclusive=True)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fresh_and_resumed_agree(
    trial: Make, data: TokenisedTask, numbers: Numbers, folder: Path, precision: str
) -> None:
    spec = trial(precision=precision)
    with TrialRun(spec, data, meters=meters()) as run:
        expected = [numbers(record) for record in run]
    with TrialRun(spec, data, meters=meters()) as run:
        found = [numbers(next(run))]
        run.save(folder)
    torch.rand(3, device="cuda")
    with TrialRun(spec, data, meters=meters()) as run:
        run.load(folder)
        found.extend(numbers(record) for record in run)
    assert found == expected


def test_interrupted_within_an_epoch(trial: Make, data: TokenisedTask, numbers: Numbers, folder: Path) -> None:
    """The generator of the GPU goes on where it stood, too."""
    spec = trial(epochs=2, reports_per_epoch=2)
    with TrialRun(spec, data, meters=meters()) as run:
        expected = [numbers(record) for record in run]
    found: list[dict[str, Any]] = []
    run = TrialRun(spec, data, meters=meters())
    while len(found) < len(expected):
        record = run.train_on(lambda: True)
        found += [] if record is None else [numbers(record)]
        run.save(folder)
        run.close()
        torch.rand(3, device="cuda")
        run = TrialRun(spec, data, meters=meters())
        run.load(folder)
    run.close()
    assert found == expected


def test_gpu_costs_are_measured(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(trial(epochs=1), data, meters=meters()) as run:
        (record,) = run
    assert record.costs.gpu_s == pytest.approx(record.costs.wall_s)
    assert record.costs.peak_memory_b is not None
    assert record.costs.peak_memory_b > 0
    assert (record.costs.energy_j is None) == ("energy_j" in record.not_measured)


def test_divergence_names_its_first_step_though_it_is_seen_later(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(trial(learning_rate=1e30, warmup=0.0), data, meters=meters()) as run:
        with pytest.raises(DivergedError) as caught:
            next(run)
        assert caught.value.step <= 6
