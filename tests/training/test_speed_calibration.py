"""A calibration: small parts of the data, FLOPs by the padded shapes, every kind of trial, errors in one line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from greenexp.errors import CalibrationError
from greenexp.records.trial import TrialSpec
from greenexp.tasks.tokens import TokenisedTask
from greenexp.training import busy_workers, calibration
from greenexp.training.busy_workers import calibrate
from greenexp.training.calibration import Bench, observe, rounds, small

Make = Callable[..., TrialSpec]


def test_a_part_of_the_data_is_spread_over_it(
    data: TokenisedTask, trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "TRAIN_BATCHES", 2)
    few = small(data, trial(batch_size=16))
    assert (len(few.train), len(few.dev), few.test) == (32, 40, None)
    np.testing.assert_array_equal(few.train.lengths, data.train.lengths[::3])
    start, end = data.train.offsets[3:5]
    np.testing.assert_array_equal(few.train.ids[few.train.offsets[1] : few.train.offsets[2]], data.train.ids[start:end])
    assert len(few.train.ids) == few.train.offsets[-1]


@pytest.mark.parametrize(
    "method", [{"name": "branchynet"}, {"name": "deebert"}, {"name": "berxit"}], ids=["one stage", "two", "alternating"]
)
def test_steps_and_batches_are_measured(data: TokenisedTask, trial: Make, method: dict[str, Any]) -> None:
    one = observe(0, trial(method=method), data, Bench(threads=1), 0.01)
    assert one.train_flops > 0
    assert one.eval_flops > 0
    assert one.train_s > 0
    assert one.eval_s > 0
    assert one.setup_s is not None
    assert one.cpu_s is not None
    assert one.energy_j is None, "not measured, and not 0"


def test_every_kind_of_trial_is_looked_at_and_one_though_the_time_is_up(
    data: TokenisedTask, trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = (0.01 * number for number in itertools.count())
    monkeypatch.setattr(calibration, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    both = [trial(), trial(batch_size=8)], [data, data], Bench(threads=1)
    (only,) = rounds(*both, until=0.0)
    assert (only.shape, only.report_s is None) == (0, False)
    found = rounds(*both, until=3.0)
    assert {one.shape for one in found} == {0, 1}
    assert len(found) > 2
    assert [one.report_s is not None for one in found] == [True, True, *[False] * (len(found) - 2)]


def test_a_trial_that_cannot_be_built_is_an_error_in_one_line(
    data: TokenisedTask, trial: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    class Pipe:
        def send(self, what: Any) -> None:
            sent.append(what)

    monkeypatch.setattr(busy_workers.signal, "signal", lambda *_: None)  # this process is no child
    busy_workers._measure(Pipe(), [trial(method={"name": "branchynet", "weights": [1.0]})], [data], Bench(1), None)  # type: ignore[arg-type]
    assert sent[0] == ()
    assert "\n" not in sent[1]
    monkeypatch.setattr(busy_workers, "wait", lambda *_, **__: [])
    with pytest.raises(CalibrationError):
        busy_workers._answer(Pipe(), 0.0)  # type: ignore[arg-type]


@pytest.mark.slow
def test_processes_measure_side_by_side(data: TokenisedTask, trial: Make) -> None:
    found = calibrate([trial()], [small(data, trial())], Bench(threads=1), 2, 5.0)
    assert found.processes == 2
    assert len(found.observations) >= 2
    assert found.start_s > 0
