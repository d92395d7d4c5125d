"""What a trial reports, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from greenexp.errors import DivergedError, InputError, TrialError, UnknownNameError
from greenexp.meters import Meters
from greenexp.meters.energy import EnergyWindows
from greenexp.meters.fake import FakeSource
from greenexp.meters.memory import ResidentMemory
from greenexp.model import load_model
from greenexp.records.epoch import EpochRecord
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSpec
from greenexp.replay import operating_points
from greenexp.replay.logits import read_logits
from greenexp.tasks.metrics import score
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import TrialRun
from greenexp.training.optimisation import Optimisation
from greenexp.training.schedule import learning_rate_at

Make = Callable[..., TrialSpec]

STILL = ({"dropout": 0.0}, {"head": {"name": "linear", "dropout": 0.0}})
"""Backbone and exits without dropout."""


@pytest.fixture(scope="module")
def records(trial: Make, data: TokenisedTask, tmp_path_factory: pytest.TempPathFactory) -> list[EpochRecord]:
    logits = tmp_path_factory.mktemp("logits")
    with TrialRun(trial(learning_rate=5e-3, epochs=4), data, logits_folder=logits) as run:
        return [dataclasses.replace(record, not_measured={"folder": str(logits)}) for record in run]


def test_records_count_and_add_up(records: list[EpochRecord], data: TokenisedTask) -> None:
    assert [record.epoch for record in records] == [1, 2, 3, 4]
    assert [record.step for record in records] == [6, 12, 18, 24]
    assert all(record.examples == 96 for record in records)
    assert [record.last for record in records] == [False, False, False, True]
    assert records[-1].train_loss < records[0].train_loss
    assert [e.exit for e in records[0].exits] == [1, 2]
    assert [e.layer for e in records[0].exits] == [1, 2]


def test_score_is_the_mean_over_exits_and_the_best_so_far_is_kept(records: list[EpochRecord]) -> None:
    best = -math.inf
    for record in records:
        accuracies = [e.metrics["accuracy"] for e in record.exits]
        assert record.score == pytest.approx(np.mean(accuracies))
        improved = record.score > best
        best = max(best, record.score)
        assert record.best_score == best
        assert (record.dev_logits is not None) == improved


def test_stored_logits_give_the_reported_scores(records: list[EpochRecord], data: TokenisedTask) -> None:
    for record in records:
        if record.dev_logits is not None:
            stored = read_logits(Path(record.not_measured["folder"]), record.dev_logits)
            assert stored.logits.shape == (2, 40, 2)
            assert stored.exits.tolist() == [1, 2]
            assert np.array_equal(stored.lengths, data.dev.lengths)
            for found, reported in zip(score(["accuracy"], stored.logits, stored.labels), record.exits, strict=True):
                assert found == reported.metrics


def test_stored_costs_price_every_exit_alone_and_after_those_below(records: list[EpochRecord]) -> None:
    record = next(record for record in reversed(records) if record.dev_logits)
    stored = read_logits(Path(record.not_measured["folder"]), record.dev_logits or "")
    assert stored.costs is not None
    points = operating_points(stored.record, "static", stored.costs)
    assert points["accuracy"].tolist() == [e.metrics["accuracy"] for e in record.exits]
    assert points["inference_flops"].tolist() == [e.inference_flops for e in record.exits]
    assert points["mean_layers"].tolist() == [e.layer for e in record.exits]
    early = operating_points(stored.record, "max_probability", stored.costs)
    first, last = early["inference_flops"].iloc[[0, -1]]
    assert first == record.exits[0].inference_flops
    assert record.exits[-1].inference_flops < last < 1.1 * record.exits[-1].inference_flops


@pytest.mark.parametrize("method", [{"name": "branchynet", "weights": [1, 0]}, {"name": "righttool", "layers": [1]}])
def test_a_speed_up_counts_layers_above_the_last_trained_exit(
    trial: Make, data: TokenisedTask, tmp_path: Path, method: dict[str, Any]
) -> None:
    with TrialRun(trial(method=method, epochs=1), data, logits_folder=tmp_path) as run:
        record = next(run)
    assert [score.layer for score in record.exits] == [1]
    assert record.encoder_layers == 2
    stored = read_logits(tmp_path, str(record.dev_logits))
    assert stored.costs is not None
    assert operating_points(stored.record, "static", stored.costs)["speed_up"].tolist() == [2.0]


def test_the_parameters_are_those_of_the_model_as_it_is_saved(trial: Make, data: TokenisedTask, tmp_path: Path) -> None:
    """Also of exits that a stage does not train."""
    with TrialRun(
        trial(method={"name": "branchynet", "weights": [1, 0]}, epochs=1), data, model_folder=tmp_path / "model"
    ) as run:
        record = next(run)
    weights = load_model(tmp_path / "model").state_dict()
    assert record.parameters == sum(weight.numel() for weight in weights.values()) > 0


def test_learning_rate_rises_and_falls(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(trial(epochs=2, warmup=0.25), data) as run:
        first, second = run
    assert first.learning_rate == learning_rate_at(6, 12, 0.25, 1e-3)
    assert second.learning_rate == learning_rate_at(12, 12, 0.25, 1e-3) > 0


def test_costs_come_from_the_meters_and_set_up_counts(trial: Make, data: TokenisedTask) -> None:
    energy = EnergyWindows([FakeSource([0.0, 50.0, 50.0, 57.0, 57.0])], {})
    factors = Accounting(price_per_kwh=3.6e6)
    meters = Meters(energy=energy, memory=ResidentMemory(), accounting=factors)
    with TrialRun(trial(epochs=2), data, meters=meters) as run:
        first, second = run
    assert (first.costs.energy_j, second.costs.energy_j) == (50.0, 7.0)
    assert first.costs.money == pytest.approx(50.0)
    assert first.costs.train_flops == second.costs.train_flops > 2 * first.costs.eval_flops > 0
    assert "carbon_g" in first.not_measured
    assert "energy_j" not in first.not_measured


def test_deeper_exits_cost_more(records: list[EpochRecord]) -> None:
    one, two = (e.inference_flops for e in records[0].exits)
    assert one < two < 2.1 * one


def test_micro_batches_give_the_gradient_of_the_whole_batch(
    trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without dropout, up to rounding: pieces of 16 (all), 5 (and one of 1) and 1."""
    found: list[dict[str, torch.Tensor]] = []

    def grab(self: Optimisation, loss: torch.Tensor) -> None:
        gradients = {name: p.grad.clone() for name, p in self.named.items() if p.grad is not None}
        found.append(gradients | {"loss": loss.clone()})
        raise KeyboardInterrupt

    monkeypatch.setattr(Optimisation, "update", grab)
    for size in (None, 5, 1):
        run = TrialRun(trial(backbone=STILL[0], exits=STILL[1], micro_batch_size=size), data)
        names = {name for name, _ in run._open_setup().model.named_parameters()}
        with pytest.raises(KeyboardInterrupt):
            next(run)
        run.close()
    whole = found[0]
    assert whole.keys() == names | {"loss"}
    for pieces in found[1:]:
        assert pieces.keys() == whole.keys()
        assert float(pieces["loss"]) == pytest.approx(float(whole["loss"]), rel=1e-6)
        difference = torch.cat([(pieces[name] - whole[name]).flatten() for name in names])
        size = torch.cat([whole[name].flatten() for name in names]).norm()
        assert difference.norm() < 1e-4 * size


def test_bf16_learns_what_fp32_learns(trial: Make, data: TokenisedTask) -> None:
    """Rounding differs, the course does not: losses agree to 2 % while they fall by a third."""
    wide, losses = {"layers": 1, "hidden": 32, "dropout": 0.0}, []
    for precision in ("fp32", "bf16"):
        spec = trial(backbone=wide, exits=STILL[1], precision=precision, batch_size=8, learning_rate=3e-3, epochs=6)
        with TrialRun(spec, data) as run:
            losses.append(np.array([record.train_loss for record in run]))
    assert losses[0][-1] < 0.8 * losses[0][0]
    assert not np.array_equal(*losses)
    assert np.allclose(*losses, rtol=0.02)


def test_frozen_embeddings_do_not_move_and_cost_less(trial: Make, data: TokenisedTask) -> None:
    flops = []
    for frozen in (True, False):
        with TrialRun(trial(epochs=1, freeze_embeddings=frozen), data) as run:
            model = run._open_setup().model
            before = [parameter.clone() for parameter in model.embedding_parameters()]
            flops.append(next(run).costs.train_flops)
            moved = [not torch.equal(a, b) for a, b in zip(before, model.embedding_parameters(), strict=True)]
            assert any(moved) != frozen
    assert flops[0] < flops[1]


def test_padding_does_not_change_dev_logits(trial: Make, data: TokenisedTask, tmp_path: Path) -> None:
    """Dev batches of 2 (next to no padding) against all of dev at once."""
    stored = []
    for micro in (1, 40):
        spec = trial(epochs=1, batch_size=96, micro_batch_size=micro, learning_rate=1e-12)
        with TrialRun(spec, data, logits_folder=tmp_path) as run:
            record = next(run)
        assert record.dev_logits is not None
        stored.append(read_logits(tmp_path, record.dev_logits).logits)
    assert np.allclose(stored[0], stored[1], atol=1e-6)


def test_finetune_reports_only_the_exit_it_trains(trial: Make, data: TokenisedTask) -> None:
    with TrialRun(trial(method={"name": "finetune"}, epochs=1), data) as run:
        (record,) = run
    assert [e.exit for e in record.exits] == [2]
    assert record.score == record.exits[0].metrics["accuracy"]


@pytest.mark.parametrize("which", ["last", "best", 1])
def test_metric_at_an_exit(trial: Make, data: TokenisedTask, which: str | int) -> None:
    with TrialRun(trial(epochs=1, metric={"name": "loss", "mode": "min", "exit": which}), data) as run:
        (record,) = run
    losses = [e.metrics["loss"] for e in record.exits]
    assert record.score == {"last": losses[-1], "best": min(losses), 1: losses[0]}[which]


def test_an_undefined_metric_is_none_and_its_stand_in_is_said(trial: Make, data: TokenisedTask) -> None:
    spec = trial(epochs=1, learning_rate=1e-12, metric={"name": "matthews", "exit": "last"})
    labels = np.zeros(len(data.dev), dtype=np.int64)
    one_class = dataclasses.replace(data, dev=dataclasses.replace(data.dev, labels=labels))
    with TrialRun(spec, one_class) as run:
        (record,) = run
    assert record.exits[-1].metrics["matthews"] is None
    assert record.score == 0.0
    assert "matthews" in record.not_measured["score"]
    assert "accuracy" in record.exits[-1].metrics


@pytest.mark.parametrize("clip", [None, 1.0])
def test_divergence_names_the_step_and_what(trial: Make, data: TokenisedTask, clip: float | None) -> None:
    run = TrialRun(trial(learning_rate=1e30, warmup=0.0, clip_norm=clip), data)
    with pytest.raises(DivergedError) as caught:
        list(run)
    assert 1 <= caught.value.step <= 18
    assert not math.isfinite(caught.value.value)
    assert "optimiser step" in str(caught.value)
    with pytest.raises(DivergedError):
        next(run)
    with pytest.raises(DivergedError):
        run.save(Path("never"))
    run.close()


def test_a_loss_that_is_nan_stops_before_the_weights_are_touched(
    trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = TrialRun(trial(), data)
    work = run._open_setup()
    before = {name: value.clone() for name, value in work.model.state_dict().items()}
    monkeypatch.setattr(type(work.method), "loss", lambda self, logits, labels, epoch: logits.sum() * math.nan)
    with pytest.raises(DivergedError, match=r"training loss became nan.*1"):
        next(run)
    assert all(torch.equal(before[name], value) for name, value in work.model.state_dict().items())
    run.close()


def test_an_error_of_the_method_repeats_and_is_not_the_end_of_the_trial(
    trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("bad method")

    run = TrialRun(trial(), data)
    monkeypatch.setattr(type(run._open_setup().method), "loss", broken)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="bad method"):
            next(run)
    run.close()


def test_a_stop_iteration_of_the_method_is_not_the_end_of_the_trial(
    trial: Make, data: TokenisedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        next(iter(()))

    run = TrialRun(trial(), data)
    monkeypatch.setattr(type(run._open_setup().method), "loss", broken)
    with pytest.raises(StopIteration):
        run.train_on(lambda: False)
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(run)
    run.close()


def test_the_end_and_after(trial: Make, data: TokenisedTask) -> None:
    run = TrialRun(trial(epochs=1), data)
    assert len(list(run)) == 1
    assert list(run) == []
    assert next(run, "end") == "end"
    run.close()
    run.close()
    for call in (lambda: next(run), lambda: run.save(Path("never")), lambda: run.load(Path("never"))):
        with pytest.raises(TrialError, match="c000-i0-o0 is closed"):
            call()


@pytest.mark.parametrize("learning_rate", [1e-3, 1e30])
def test_closing_frees_the_model_and_the_meters(trial: Make, data: TokenisedTask, learning_rate: float) -> None:
    """At once, not when the collector next runs: also after an error, whose traceback holds the model."""
    source = FakeSource([0.0] * 9)
    meters = Meters(energy=EnergyWindows([source], {}), memory=ResidentMemory())
    run = TrialRun(trial(learning_rate=learning_rate, warmup=0.0), data, meters=meters)
    model = weakref.ref(run._open_setup().model)
    gc.disable()
    try:
        with contextlib.suppress(DivergedError):
            list(run)
        run.close()
        assert model() is None
    finally:
        gc.enable()
    assert source.closed


def test_a_failed_start_closes_the_meters(trial: Make, data: TokenisedTask) -> None:
    source = FakeSource([0.0] * 9)
    meters = Meters(energy=EnergyWindows([source], {}), memory=ResidentMemory())
    with pytest.raises(UnknownNameError):
        TrialRun(trial(method={"name": "nothing"}), data, meters=meters)
    assert source.closed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": {"exit": 3}}, "metric.exit is 3"),
        ({"metric": {"exit": 1}, "method": {"name": "finetune"}}, "are 2"),
        ({"metric": {"name": "pearson"}}, "is for regression"),
        ({"exits": {"layers": [1]}}, "exits.layers"),
    ],
)
def test_settings_that_do_not_fit(trial: Make, data: TokenisedTask, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrialRun(trial(**settings), data)


def test_a_gpu_that_is_not_there(trial: Make, data: TokenisedTask) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    for gpus, message in ((1.0, "no usable GPU"), (2.0, "one GPU")):
        meters = Meters(energy=EnergyWindows([], {}), memory=ResidentMemory(), gpus=gpus)
        with pytest.raises(InputError, match=message):
            TrialRun(trial(), data, meters=meters)


def test_regression_and_read_only_data(trial: Make, data: TokenisedTask) -> None:
    """Shared memory is read-only, and warnings are errors here."""

    def regression(split: Any) -> Any:
        labels = split.lengths.astype(np.float32) / 10
        arrays = (split.ids.copy(), split.offsets.copy(), labels)
        for array in arrays:
            array.flags.writeable = False
        return dataclasses.replace(split, ids=arrays[0], offsets=arrays[1], labels=arrays[2])

    task = dataclasses.replace(
        data, train=regression(data.train), dev=regression(data.dev), num_labels=1, metrics=("pearson", "spearman")
    )
    with TrialRun(trial(epochs=2, learning_rate=3e-3, metric={"name": "pearson"}), task) as run:
        first, last = run
    assert last.exits[-1].metrics["loss"] < first.exits[-1].metrics["loss"]
