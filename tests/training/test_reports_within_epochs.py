"""Reports within an epoch change no weight, and a trial that was interrupted between two steps loses nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from greenexp.errors import InputError
from greenexp.meters import Meters
from greenexp.meters.energy import EnergyWindows
from greenexp.meters.fake import FakeSource
from greenexp.meters.memory import ResidentMemory
from greenexp.plan.flops import epoch_flops
from greenexp.records.epoch import Costs, EpochRecord
from greenexp.records.progress import epochs_at, report_at, steps_until
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun, run

Make = Callable[..., TrialSpec]
Numbers = Callable[[EpochRecord], dict[str, Any]]

STEPS = 6
"""Of an epoch: 96 examples in batches of 16."""
POOLED: dict[str, Any] = {"exits": {"head": {"name": "pooled"}}, "backbone": {"pooling": "pooler"}}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "bf16": {"precision": "bf16"},
    "micro-batches": {"micro_batch_size": 5},
    "alternating": {"method": {"name": "berxit"}},
    "an annealed temperature": {"method": {"name": "dbt"}},
    "learnt weights, two batches a step": {"method": {"name": "leebert"}},
    "two stages": {"method": {"name": "deebert"}, **POOLED},
    "kept states": {
        "method": {"name": "fastbert"},
        "exits": {"head": {"name": "attention", "width": 8}},
        "backbone": {"pooling": "pooler"},
    },
}
each_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def weights(training: TrialRun) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in training._open_setup().model.state_dict().items()}


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(value, second[name]) for name, value in first.items())


def with_weights(training: TrialRun) -> Iterator[tuple[EpochRecord, dict[str, torch.Tensor]]]:
    for record in training:
        yield record, weights(training)


@each_setting
@pytest.mark.parametrize("per_epoch", [2, 3])
def test_whole_epochs_are_what_they_are_without(
    trial: Make, data: TokenisedTask, settings: dict[str, Any], per_epoch: int
) -> None:
    spec = trial(**settings, epochs=2)
    often = trial(**settings, epochs=2, reports_per_epoch=per_epoch)
    with TrialRun(spec, data) as plain, TrialRun(often, data) as reporting:
        expected = list(with_weights(plain))
        found = list(with_weights(reporting))
    whole = [pair for pair in found if isinstance(pair[0].epoch, int)]
    assert [record.epoch for record, _ in whole] == [1, 2]
    for (one, before), (other, after) in zip(expected, whole, strict=True):
        assert equal(before, after)
        assert (one.score, one.exits, one.step, one.learning_rate) == (
            other.score,
            other.exits,
            other.step,
            other.learning_rate,
        )
    assert sum(record.examples for record, _ in found) == sum(record.examples for record, _ in expected)
    assert sum(record.costs.train_flops or 0 for record, _ in found) == sum(
        record.costs.train_flops or 0 for record, _ in expected
    )


def test_where_reports_fall(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(trial(epochs=2, reports_per_epoch=4), data) as training:
        records = list(training)
    assert [record.epoch for record in records] == [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]
    assert [record.step for record in records] == [2, 3, 5, 6, 8, 9, 11, 12]
    assert [record.examples for record in records] == [32, 16, 32, 16] * 2
    assert [record.last for record in records] == [False] * 7 + [True]
    assert all(isinstance(record.epoch, int) == (record.step % STEPS == 0) for record in records)


@each_setting
def test_interrupted_at_every_step(
    trial: Make, data: TokenisedTask, numbers: Numbers, folder: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Saved, closed, and loaded into a fresh run after every step: the same records, logits and weights."""
    spec = trial(**settings, epochs=2, reports_per_epoch=2)
    with TrialRun(spec, data, logits_folder=tmp_path / "logits") as training:
        expected = [(numbers(record), model) for record, model in with_weights(training)]
    found, passes = [], 0
    training = TrialRun(spec, data, logits_folder=tmp_path / "logits")
    while len(found) < len(expected):
        record = training.train_on(lambda: True)
        passes += 1
        if record is not None:
            found.append((numbers(record), weights(training)))
        training.save(folder)
        training.close()
        torch.rand(17)
        training = TrialRun(spec, data, logits_folder=tmp_path / "logits")
        training.load(folder)
    training.close()
    steps = expected[-1][0]["step"]
    assert passes == steps
    for (one, before), (other, after) in zip(expected, found, strict=True):
        kept_again = other.pop("train_flops") - one.pop("train_flops")
        assert kept_again >= 0  # states that were kept in memory are computed again
        assert kept_again == 0 or settings.get("method") == {"name": "fastbert"}
        assert one == other
        assert equal(before, after)


def test_progress_and_an_interruption_without_saving(trial: Make, data: TokenisedTask, numbers: Numbers) -> None:
    spec = trial(epochs=1, reports_per_epoch=2)
    with TrialRun(spec, data) as training:
        expected = [numbers(record) for record in training]
    with TrialRun(spec, data) as training:
        assert (training.epoch, training.progress, training.step) == (0, 0, 0)
        assert training.train_on(lambda: True) is None
        assert (training.epoch, training.step) == (0, 1)
        assert training.progress == pytest.approx(1 / STEPS)
        found = [numbers(next(training))]
        assert (training.epoch, training.progress, training.step) == (0.5, 0.5, 3)
        found.append(numbers(next(training)))
        assert (training.epoch, training.progress) == (1, 1)
    assert found == expected


def test_costs_are_those_of_each_report_also_across_a_checkpoint(
    trial: Make, data: TokenisedTask, folder: Path
) -> None:
    def meters(*readings: float) -> Meters:
        return Meters(energy=EnergyWindows([FakeSource(list(readings))], {}), memory=ResidentMemory())

    spec = trial(epochs=1, reports_per_epoch=2)
    with TrialRun(spec, data, meters=meters(0.0, 50.0, 50.0, 57.0, 57.0)) as training:
        first, second = training
    assert (first.costs.energy_j, second.costs.energy_j) == (50.0, 7.0)
    assert (first.costs.train_flops or 0) + (second.costs.train_flops or 0) == sum(epoch_flops(spec, data).training)
    with TrialRun(spec, data, meters=meters(0.0, 10.0, 10.0, 90.0, 90.0)) as training:
        assert training.train_on(lambda: True) is None
        training.save(folder)
    with TrialRun(spec, data, meters=meters(0.0, 4.0, 4.0, 5.0, 5.0)) as training:
        training.load(folder)
        resumed = next(training)
        assert resumed.costs.energy_j == 14.0
        assert resumed.costs.train_flops == first.costs.train_flops
        assert training.unreported().energy_j == 1.0


def test_sums_of_costs_that_were_not_measured_are_not_known() -> None:
    one = Costs(wall_s=1.0, cpu_s=2.0, energy_j=None, peak_memory_b=5.0)
    other = Costs(wall_s=3.0, cpu_s=None, energy_j=1.0, peak_memory_b=4.0)
    assert one.plus(other) == Costs(wall_s=4.0, peak_memory_b=5.0)


@pytest.mark.parametrize("per_epoch", [7, 100])
def test_more_reports_than_steps_are_refused(trial: Make, data: TokenisedTask, per_epoch: int) -> None:
    spec = trial(reports_per_epoch=per_epoch)
    with pytest.raises(InputError, match="reports_per_epoch"):
        TrialRun(spec, data)
    with pytest.raises(InputError, match="reports_per_epoch"):
        epoch_flops(spec, data)


def test_as_many_reports_as_steps(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(trial(epochs=1, reports_per_epoch=STEPS), data) as training:
        assert [record.step for record in training] == [1, 2, 3, 4, 5, 6]


def test_patience_looks_at_the_ends_of_epochs(
    trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [0.1, 0.5, 0.9, 0.5, 0.9, 0.4]
    monkeypatch.setattr(run, "selected_score", lambda *_: (scores.pop(0), None))
    with TrialRun(trial(epochs=6, reports_per_epoch=2, patience=2), data) as training:
        records = list(training)
    assert [record.epoch for record in records] == [0.5, 1, 1.5, 2, 2.5, 3]
    assert records[-1].last
    assert records[-1].best_score == 0.9


def test_a_checkpoint_of_a_version_without_it(trial: Make, data: TokenisedTask, numbers: Numbers, folder: Path) -> None:
    from greenexp.training.checkpoint import read_checkpoint, write_checkpoint

    with TrialRun(trial(), data) as training:
        next(training)
        training.save(folder)
        expected = [numbers(record) for record in training]
    tensors, state = read_checkpoint(folder)
    assert "under_way" not in state
    write_checkpoint(folder, tensors, state)
    with TrialRun(trial(), data) as training:
        training.load(folder)
        assert [numbers(record) for record in training] == expected


@pytest.mark.parametrize("spoil", ["steps", "generators", "examples"])
def test_a_checkpoint_whose_position_cannot_be_understood(
    trial: Make, data: TokenisedTask, folder: Path, spoil: str
) -> None:
    from greenexp.errors import CheckpointError
    from greenexp.training.checkpoint import read_checkpoint, write_checkpoint

    with TrialRun(trial(), data) as training:
        assert training.train_on(lambda: True) is None
        training.save(folder)
    tensors, state = read_checkpoint(folder)
    del state["under_way"][spoil]
    write_checkpoint(folder, tensors, state)
    with TrialRun(trial(), data) as training, pytest.raises(CheckpointError):
        training.load(folder)


def test_fingerprints_of_trials_that_report_once_stay_what_they_were(trial: Make) -> None:
    spec = trial()
    plain = dataclasses.replace(spec, fingerprint="")
    assert "reports_per_epoch" in spec.settings.to_json()["training"]
    assert plain.fingerprint == spec.fingerprint
    assert trial(reports_per_epoch=2).fingerprint != spec.fingerprint


@pytest.mark.parametrize("per_epoch", [1, 2, 3, 4, 7, 10])
def test_reports_and_epochs_are_inverse(per_epoch: int) -> None:
    for report in range(5 * per_epoch + 1):
        epochs = epochs_at(report, per_epoch)
        assert isinstance(epochs, int) == (report % per_epoch == 0)
        assert report_at(epochs, per_epoch) == report
        assert epochs == epochs_at(report_at(epochs, per_epoch), per_epoch)


@pytest.mark.parametrize("steps", [4, 5, 6, 7, 100, 101])
def test_steps_of_a_report_are_the_fewest_that_make_its_share(steps: int) -> None:
    for per_epoch in (1, 2, 3, 4):
        ends = [steps_until(report, per_epoch, steps) for report in range(1, per_epoch + 1)]
        assert ends[-1] == steps
        assert sorted(set(ends)) == ends
        for report, end in enumerate(ends, start=1):
            assert end * per_epoch >= report * steps > (end - 1) * per_epoch
