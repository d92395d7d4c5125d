"""A calibration: small parts of the data, FLOPs by the padded shapes, every kind of trial, errors in one line."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import threading
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


class Threads:
    """In the place of processes: each a thread of this one. dies: before it has read anything."""

    def __init__(self, *, dies: bool = False) -> None:
        self.dies = dies
        self.given: list[tuple[Any, ...]] = []
        self.Pipe = multiprocessing.Pipe

    def Process(self, *, target: Callable[..., None], args: tuple[Any, ...], daemon: bool) -> Any:
        own = args[0].__class__(os.dup(args[0].fileno()))  # the parent closes its copy, as after a fork
        self.given.append(args[1:])
        thread = threading.Thread(target=own.close if self.dies else target, args=() if self.dies else (own, *args[1:]))
        return SimpleNamespace(start=thread.start, kill=lambda: None, join=thread.join)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    found = Threads()
    monkeypatch.setattr(busy_workers.multiprocessing, "get_context", lambda _: found)
    monkeypatch.setattr(busy_workers.signal, "signal", lambda *_: None)
    monkeypatch.setattr(busy_workers, "LEAST_S", 0.0)
    monkeypatch.setattr(busy_workers, "WARM_S", 0.0)
    return found


def test_a_process_is_given_trials_and_answers(data: TokenisedTask, trial: Make, threads: Threads) -> None:
    found = calibrate([trial()], [data], Bench(threads=1), 1, 0.0)
    assert found.processes == 1
    assert found.observations
    assert len(pickle.dumps(threads.given)) < 2**16, "more than a pipe holds would wait for a child that has died"


def test_a_process_that_dies_is_no_wait_without_end(data: TokenisedTask, trial: Make, threads: Threads) -> None:
    threads.dies = True
    with pytest.raises(CalibrationError):
        calibrate([trial()], [data], Bench(threads=1), 1, 0.0)


def test_a_trial_that_cannot_be_built_is_an_error_in_one_line(
    data: TokenisedTask, trial: Make, threads: Threads
) -> None:
    with pytest.raises(CalibrationError) as raised:
        calibrate([trial(method={"name": "branchynet", "weights": [1.0]})], [data], Bench(threads=1), 1, 0.0)
    assert "\n" not in str(raised.value)


def test_one_that_does_not_answer_is_given_up() -> None:
    ours, _theirs = multiprocessing.Pipe()
    with pytest.raises(CalibrationError):
        busy_workers._answer(ours, 0.0)


@pytest.mark.slow
def test_processes_measure_side_by_side(data: TokenisedTask, trial: Make) -> None:
    found = calibrate([trial()], [small(data, trial())], Bench(threads=1), 2, 5.0)
    assert found.processes == 2
    assert len(found.observations) >= 2
    assert found.start_s > 0
