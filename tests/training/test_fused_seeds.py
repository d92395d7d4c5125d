"""Seeds that are trained as one stacked model have the numbers that each has alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from told import tells

from greenexp.errors import DivergedError, FusedMemoryError
from greenexp.meters import open_meters
from greenexp.meters.measure import MeterReading, Meters
from greenexp.meters.shared import SharedMeters
from greenexp.model import MultiExitModel
from greenexp.records.epoch import FUSED_SEEDS, EpochRecord, seeds_together
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.replay.logits import read_logits
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.tokens import TokenisedTask, tokenise, word_tokenizer
from greenexp.training import TrialRun
from greenexp.training.fused import FusedRuns

Make = Callable[..., TrialSpec]

CLOSE = 1e-5
"""What fp32 allows: sums over other numbers of rows, and over padding."""
THREE = (TrialSeeds(0, 0), TrialSeeds(1, 0), TrialSeeds(0, 1))
"""Initialisation and order of examples, each apart from the first."""


@pytest.fixture(scope="module")
def few() -> TokenisedTask:
    """Five steps of 16 examples and fewer an epoch: the small batch comes at another step for every order."""
    task = Clauses(train=70, dev=30, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 32)


def seeds_of(make: Make, seeds: Sequence[TrialSeeds] = THREE, **settings: Any) -> list[TrialSpec]:
    spec = make(**({"epochs": 2} | settings))
    return [
        dataclasses.replace(spec, trial=f"c000-i{own.initialisation}-o{own.order}", seeds=own, index=number)
        for number, own in enumerate(seeds)
    ]


class Together:
    """Seeds of one process, as a worker has them."""

    def __init__(self, specs: Sequence[TrialSpec], data: TokenisedTask, folder: Path | None = None) -> None:
        self.shared = SharedMeters(open_meters(cpus=1, exclusive=False))
        parts = [self.shared.member() for _ in specs]
        self.runs = [
            TrialRun(spec, data, meters=part, logits_folder=folder) for spec, part in zip(specs, parts, strict=True)
        ]
        self.group = FusedRuns(self.shared, len(specs))
        self.records: list[list[EpochRecord]] = [[] for _ in specs]
        self.errors: dict[int, BaseException] = {}

    def open(self) -> list[TrialRun]:
        return [
            run
            for number, run in enumerate(self.runs)
            if number not in self.errors and not (self.records[number] and self.records[number][-1].last)
        ]

    def train(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """All to their ends, or until one round is interrupted."""
        while runs := self.open():
            for run, outcome in self.group.train_on(runs, interrupted).items():
                number = self.runs.index(run)
                if outcome.error is not None:
                    self.errors[number] = outcome.error
                elif (record := outcome.get()) is None:
                    return
                else:
                    self.records[number].append(record)

    def __enter__(self) -> Together:
        return self

    def __exit__(self, *exception: object) -> None:
        for run in self.runs:
            run.close()


def state_of(run: TrialRun) -> dict[str, torch.Tensor]:
    assert run._setup is not None
    return {name: value.clone() for name, value in run._setup.state()[0].items()}


def alone(
    spec: TrialSpec, data: TokenisedTask, folder: Path | None = None
) -> tuple[list[EpochRecord], dict[str, torch.Tensor]]:
    with TrialRun(spec, data, logits_folder=folder) as run:
        return list(run), state_of(run)


def check(found: Sequence[EpochRecord], expected: Sequence[EpochRecord]) -> None:
    assert [record.epoch for record in found] == [record.epoch for record in expected]
    for own, other in zip(found, expected, strict=True):
        assert own.score == pytest.approx(other.score, abs=CLOSE)
        assert own.train_loss == pytest.approx(other.train_loss, abs=CLOSE)
        assert (own.step, own.examples, own.last) == (other.step, other.examples, other.last)
        assert own.learning_rate == other.learning_rate
        assert (own.costs.train_flops, own.costs.eval_flops) == (other.costs.train_flops, other.costs.eval_flops)


def check_state(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name].double(), value.double(), rtol=CLOSE, atol=CLOSE), name


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="branchynet"),
        pytest.param({"micro_batch_size": 5, "clip_norm": 0.05}, id="micro-batches, clipped"),
        pytest.param({"method": {"name": "finetune"}, "freeze_embeddings": True}, id="finetune, frozen embeddings"),
        pytest.param({"method": {"name": "deebert"}, "exits": {"head": {"name": "pooled"}}}, id="deebert"),
        pytest.param({"method": {"name": "shallow_deep", "mode": "ic_only"}}, id="shallow_deep, without dropout later"),
        pytest.param({"method": {"name": "pabee"}, "backbone": {"pooling": "mean"}}, id="pabee, mean"),
        pytest.param({"method": {"name": "ensemble"}, "reports_per_epoch": 2}, id="ensemble, two reports"),
        pytest.param({"optimiser": "sgd", "schedule": "steps", "learning_rate": 0.1}, id="sgd"),
    ],
)
def test_each_seed_has_the_numbers_of_its_own_run(
    trial: Make, few: TokenisedTask, settings: dict[str, Any], tmp_path: Path
) -> None:
    """With dropout, too: on a CPU each seed's generator draws the masks that it would draw alone."""
    dropout = {"dropout": 0.1, **settings.get("backbone", {})}
    specs = seeds_of(trial, **{**settings, "backbone": dropout})
    with Together(specs, few, tmp_path / "fused") as both:
        both.train()
        states = [state_of(run) for run in both.runs]
    for number, spec in enumerate(specs):
        expected, state = alone(spec, few, tmp_path / "alone")
        check(both.records[number], expected)
        check_state(states[number], state)
        for own, other in zip(both.records[number], expected, strict=True):
            if other.dev_logits is not None and own.dev_logits is not None:
                logits = [
                    read_logits(tmp_path / kind, str(record.dev_logits)).logits
                    for kind, record in (("fused", own), ("alone", other))
                ]
                assert abs(logits[0] - logits[1]).max() < CLOSE
            assert (own.dev_logits is None) == (other.dev_logits is None)


def test_in_bf16_a_seed_is_its_own_but_for_rounding(trial: Make, few: TokenisedTask) -> None:
    """What rounding makes of its weights is a small part of what they have learned."""
    specs = seeds_of(trial, precision="bf16", backbone={"dropout": 0.1})
    with Together(specs, few) as both:
        both.train()
        states = [state_of(run) for run in both.runs]
    for spec, found, records in zip(specs, states, both.records, strict=True):
        with TrialRun(spec, few) as run:
            next(run)
            early = state_of(run)
        expected, state = alone(spec, few)
        assert expected[-1].computed_with["precision"] == records[-1].computed_with["precision"] == "bf16"
        assert records[-1].train_loss == pytest.approx(expected[-1].train_loss, rel=1e-2)
        assert (records[-1].costs.train_flops, records[-1].step) == (expected[-1].costs.train_flops, expected[-1].step)
        weights = [name for name in state if state[name].is_floating_point() and state[name].ndim > 1]
        rounding, learned = (
            sum(float((other[name] - state[name]).double().square().sum()) for name in weights)
            for other in (found, early)
        )
        assert rounding < 1e-2 * learned


def test_dropout_is_each_seeds_own(trial: Make, few: TokenisedTask) -> None:
    """Seeds that differ in nothing but the order of examples draw other masks; equal seeds would draw equal ones."""
    same = seeds_of(trial, (TrialSeeds(0, 0), TrialSeeds(0, 0)), backbone={"dropout": 0.3}, epochs=1)
    with Together(same, few) as both:
        both.train()
    assert both.records[0][0].train_loss == both.records[1][0].train_loss
    with Together(seeds_of(trial, backbone={"dropout": 0.3}, epochs=1), few) as three:
        three.train()
    assert len({records[0].train_loss for records in three.records}) == 3


@pytest.mark.parametrize("count", [1, 5])
def test_any_number_of_seeds(trial: Make, few: TokenisedTask, count: int) -> None:
    specs = seeds_of(trial, [TrialSeeds(number // 2, number % 2) for number in range(count)], epochs=1)
    with Together(specs, few) as both:
        both.train()
    for spec, records in zip(specs, both.records, strict=True):
        check(records, alone(spec, few)[0])
        assert {seeds_together(record) for record in records} == {count}
        assert (FUSED_SEEDS in records[0].computed_with) == (count > 1)


def test_what_is_saved_of_a_seed_goes_on_alone_and_with_others(trial: Make, few: TokenisedTask, tmp_path: Path) -> None:
    """Saved between two steps of the second epoch; one then goes on alone, the other two together."""
    specs = seeds_of(trial, backbone={"dropout": 0.1})
    with Together(specs, few) as first:
        first.train(lambda: first.runs[0].step == 7)
        assert {run.step for run in first.runs} == {7}
        for spec, run in zip(specs, first.runs, strict=True):
            run.save(tmp_path / spec.trial)
    expected = [alone(spec, few)[0][1:] for spec in specs]
    with TrialRun(specs[0], few) as single:
        single.load(tmp_path / specs[0].trial)
        check(list(single), expected[0])
    with Together(specs[1:], few) as rest:
        for spec, run in zip(specs[1:], rest.runs, strict=True):
            run.load(tmp_path / spec.trial)
        rest.train()
    for records, own in zip(rest.records, expected[1:], strict=True):
        check(records, own)


def test_what_is_behind_trains_first(trial: Make, few: TokenisedTask, tmp_path: Path) -> None:
    """A seed whose checkpoint was lost begins anew, and the others wait for it."""
    specs = seeds_of(trial)
    with Together(specs, few) as first:
        for run, outcome in first.group.train_on(first.runs, lambda: False).items():
            assert outcome.record is not None
            run.save(tmp_path / run.trial.trial)
    with Together(specs, few) as again:
        for run in again.runs[1:]:
            run.load(tmp_path / run.trial.trial)
        assert list(again.group.train_on(again.runs, lambda: False)) == again.runs[:1]
        assert set(again.group.train_on(again.runs, lambda: False)) == set(again.runs)


def test_a_seed_that_diverges_leaves_the_others_as_they_are(trial: Make, few: TokenisedTask) -> None:
    specs = seeds_of(trial)

    def poisoned(run: TrialRun) -> None:
        assert run._setup is not None
        with torch.no_grad():
            run._setup.model.backbone.model.encoder.layer[1].output.dense.weight[0, 0] = math.inf  # type: ignore[union-attr]

    with Together(specs, few) as both:
        poisoned(both.runs[1])
        both.train()
    with TrialRun(specs[1], few) as single:
        poisoned(single)
        with pytest.raises(DivergedError) as expected:
            next(single)
    assert str(both.errors[1]) == str(expected.value)
    assert not both.records[1]
    for number in (0, 2):
        check(both.records[number], alone(specs[number], few)[0])


def test_a_seed_that_ends_by_its_patience_leaves(trial: Make, few: TokenisedTask) -> None:
    specs = seeds_of(trial, epochs=6, patience=1, learning_rate=3e-2, metric={"name": "loss", "mode": "min"})
    with Together(specs, few) as both:
        both.train()
    lengths = [len(records) for records in both.records]
    expected = [alone(spec, few)[0] for spec in specs]
    assert lengths == [len(records) for records in expected]
    assert len(set(lengths)) > 1, "choose other settings: all end at the same epoch"
    for records, own in zip(both.records, expected, strict=True):
        check(records, own)


def test_two_schedules_are_not_mixed(trial: Make, few: TokenisedTask, tmp_path: Path) -> None:
    """A seed that trained one epoch alone joins at the next one."""
    specs = seeds_of(trial)
    for spec in specs:
        with TrialRun(spec, few) as run:
            next(run)
            run.save(tmp_path / spec.trial)
    with Together(specs, few) as both:
        for spec, run in zip(specs, both.runs, strict=True):
            run.load(tmp_path / spec.trial)
        both.train()
    for spec, records in zip(specs, both.records, strict=True):
        check(records, alone(spec, few)[0][1:])


def test_no_costs_are_lost(trial: Make, few: TokenisedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[MeterReading] = []
    read = Meters.read

    def noted(meters: Meters) -> MeterReading:
        readings.append(read(meters))
        return readings[-1]

    monkeypatch.setattr(Meters, "read", noted)
    with Together(seeds_of(trial), few) as both:
        both.train()
    epochs = [[record.costs.wall_s for record in records] for records in both.records]
    total = sum(reading.costs.wall_s for reading in readings)
    assert sum(map(sum, epochs)) == pytest.approx(total, rel=1e-6)
    assert {record.computed_with[FUSED_SEEDS] for records in both.records for record in records} == {"3"}
    assert all(record.costs.peak_memory_b for records in both.records for record in records)


def test_too_little_memory_for_all_is_told(trial: Make, few: TokenisedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    before = MultiExitModel.forward

    def forward(model: MultiExitModel, tokens: Any, *exits: Any) -> Any:
        if len(tokens.input_ids) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 48.00 MiB.")
        return before(model, tokens, *exits)

    monkeypatch.setattr(MultiExitModel, "forward", forward)
    with Together(seeds_of(trial), few) as both:
        with pytest.raises(FusedMemoryError) as told:
            both.train()
        assert told.value.seeds == 3
        assert tells(str(told.value), "3 seeds … 48.00 MiB")


def test_a_method_with_steps_of_its_own_trains_its_seeds_one_by_one(trial: Make, few: TokenisedTask) -> None:
    """What a plan refuses; a search may still propose it."""
    specs = seeds_of(trial, method={"name": "dbt"}, epochs=1)
    with Together(specs, few) as both:
        assert not both.runs[0].can_be_fused
        both.train()
    for spec, records in zip(specs, both.records, strict=True):
        check(records, alone(spec, few)[0])
