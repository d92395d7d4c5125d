"""Whole trials of the two-stage methods: what stays frozen, pauses in either stage, what the plan says they cost."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import EpochRecord
from greenexp.records.sections import Metric
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun

Make = Callable[..., TrialSpec]
Numbers = Callable[[EpochRecord], dict[str, Any]]

EPOCHS = 4
HEADS = {
    "deebert": {"name": "pooled"},
    "fastbert": {"name": "attention", "width": 8},
    "shallow_deep": {"name": "mixed_pool"},
}
TRIALS: dict[str, dict[str, Any]] = {
    "deebert": {},
    "deebert, official last exit": {"untrained_last_below": 0.5},
    "deebert, quiet": {"frozen_dropout": False},
    "fastbert": {},
    "fastbert, recomputed": {"cache_bytes": 0},
    "fastbert, bf16": {"direction": "student_first"},
    "shallow_deep, ic_only": {"mode": "ic_only"},
    "shallow_deep, joint": {"mode": "joint"},
}
each_trial = pytest.mark.parametrize("title", TRIALS)


def spec_of(trial: Make, title: str, **training: Any) -> TrialSpec:
    name = title.partition(",")[0]
    precision = "bf16" if title.endswith("bf16") else "fp32"
    method = {"name": name, **TRIALS[title]}
    settings = {"epochs": EPOCHS, "batch_size": 32, "precision": precision, "micro_batch_size": 20, **training}
    return trial(method=method, exits={"head": HEADS[name]}, backbone={"pooling": "pooler"}, **settings)


@each_trial
def test_the_plan_knows_what_it_costs(trial: Make, data: TokenisedTask, title: str) -> None:
    spec = spec_of(trial, title)
    with TrialRun(spec, data) as run:
        found = [(record.costs.train_flops, record.costs.eval_flops) for record in run]
    planned = epoch_flops(spec, data)
    assert found == list(zip(planned.training, planned.evaluation, strict=True))


@each_trial
def test_pause_close_load_continue(
    trial: Make, data: TokenisedTask, numbers: Numbers, folder: Path, title: str
) -> None:
    """Equal to the last bit; only kept states are computed again, and their FLOPs are counted."""
    spec = spec_of(trial, title)
    with TrialRun(spec, data) as run:
        expected = [numbers(record) for record in run]
    resumed: list[dict[str, Any]] = []
    run = TrialRun(spec, data)
    for epoch in range(EPOCHS):
        if epoch > 0:
            run.save(folder)
            run.close()
            torch.rand(17)
            run = TrialRun(spec, data)
            run.load(folder)
        resumed.append(numbers(next(run)))
    run.close()
    again = [
        record.pop("train_flops") - other.pop("train_flops") for record, other in zip(resumed, expected, strict=True)
    ]
    assert resumed == expected
    keeps = title in ("fastbert", "fastbert, bf16")
    assert [extra > 0 for extra in again] == [False, False, False, keeps]
    assert all(extra >= 0 for extra in again)


def test_going_back_to_the_first_stage_forgets_the_kept_states(
    trial: Make, data: TokenisedTask, numbers: Numbers, folder: Path
) -> None:
    with TrialRun(spec_of(trial, "fastbert"), data) as run:
        next(run)
        run.save(folder)
        expected = [numbers(record) for record in run]
        run.load(folder)
        assert [numbers(record) for record in run] == expected


@pytest.mark.parametrize("title", ["deebert", "fastbert", "fastbert, recomputed", "shallow_deep, ic_only"])
def test_each_stage_trains_its_part_alone(trial: Make, data: TokenisedTask, title: str) -> None:
    states: list[dict[str, torch.Tensor]] = []
    with TrialRun(spec_of(trial, title), data) as run:
        model = run._open_setup().model
        states.append({name: value.clone() for name, value in model.state_dict().items()})
        for record in run:
            if record.epoch % 2 == 0:
                states.append({name: value.clone() for name, value in model.state_dict().items()})
            assert [score.exit for score in record.exits] == ([2] if record.epoch <= 2 else [1, 2])
    first, second = (
        {name for name, value in after.items() if not torch.equal(value, before[name])}
        for before, after in itertools.pairwise(states)
    )
    assert {".".join(name.split(".")[:2]) for name in first} == {"backbone.model", "heads.1"}
    assert {".".join(name.split(".")[:2]) for name in second} == {"heads.0"}


def test_the_second_stage_has_its_own_learning_rate(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(spec_of(trial, "fastbert", warmup=0.0), data) as run:
        rates = [record.learning_rate for record in run]
    assert rates[2:] == pytest.approx([10 * rate for rate in rates[:2]])


@pytest.mark.parametrize("title", ["deebert", "shallow_deep, ic_only", "shallow_deep, joint"])
def test_regression(trial: Make, data: TokenisedTask, title: str) -> None:
    """Of sentence lengths, which a model can learn."""

    def measured(split: Any) -> Any:
        return dataclasses.replace(split, labels=(split.lengths / 10.0).astype("float32"))

    regression = dataclasses.replace(
        data, num_labels=1, train=measured(data.train), dev=measured(data.dev), metrics=("pearson",), label_names=None
    )
    spec = spec_of(trial, title)
    settings = dataclasses.replace(spec.settings, metric=Metric(name="pearson"))
    with TrialRun(dataclasses.replace(spec, settings=settings), regression) as run:
        losses = [record.train_loss for record in run]
    assert losses[1] < losses[0]
    assert losses[3] < losses[2]
