"""A calibration in as many processes as a sweep has workers: they slow each other as its workers will."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from statistics import fmean
from typing import TYPE_CHECKING, Any

from greenexp.errors import CalibrationError

if TYPE_CHECKING:
    from greenexp.records.trial import TrialSpec
    from greenexp.tasks.prepared import PreparedTask
    from greenexp.training.calibration import Bench, SpeedLook

WARM_S = 0.5
"""What a process trains before it says that it is ready."""
LEAST_S = 10.0
"""For the measurement, however long the processes took to start."""
GRACE_S = 60.0
"""After the end of its time, until a process that has not answered is given up."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """observations: of all processes; start_s: mean seconds until a process had imported what trials need.

    warm_s: of the first trial in a process, beyond its steps and evaluation; processes: how many measured at a time
    """

    observations: tuple[SpeedLook, ...]
    start_s: float
    warm_s: float
    processes: int


def calibrate(
    trials: Sequence[TrialSpec], data: Sequence[PreparedTask], bench: Bench, processes: int, total_s: float
) -> Calibration:
    """Measure all trials' shapes in `processes` processes at the same time, in `total_s` seconds with their start.

    CalibrationError where none of them came to an end.
    """
    context, begun = multiprocessing.get_context("spawn"), time.monotonic()
    children: list[tuple[Any, Connection]] = []
    try:
        for number in range(processes):
            ours, theirs = context.Pipe()
            # Few bytes: while a child that has died is given more than a pipe holds, `start` never comes back.
            child = context.Process(target=_measure, args=(theirs, bench, _gpus_of(number, bench.gpus)), daemon=True)
            child.start()
            theirs.close()
            children.append((child, ours))
        for _, pipe in children:
            pipe.send((tuple(trials), tuple(data)))
        started = [_answers(pipe, total_s + GRACE_S) - begun for _, pipe in children]
        warm = [float(_answer(pipe, total_s + GRACE_S)) for _, pipe in children]
        left = max(LEAST_S, total_s - (time.monotonic() - begun))
        for _, pipe in children:
            pipe.send(left)
        found = [one for _, pipe in children for one in _answer(pipe, left + GRACE_S)]
    except (OSError, EOFError, RuntimeError) as error:
        raise CalibrationError(f"the processes of the calibration broke off ({type(error).__name__})") from error
    finally:
        for child, pipe in children:
            pipe.close()
            child.kill()
            child.join()
    return Calibration(tuple(found), fmean(started), fmean(warm), processes)


def _gpus_of(number: int, gpus: float) -> str | None:
    """`CUDA_VISIBLE_DEVICES` of a process: as many share a GPU as trials do."""
    return None if gpus <= 0 else str(int(number * min(gpus, 1.0)))


def _answers(pipe: Connection, seconds: float) -> float:
    """When the process said that it is ready."""
    _answer(pipe, seconds)
    return time.monotonic()


def _answer(pipe: Connection, seconds: float) -> Any:
    if not wait([pipe], timeout=seconds):
        raise CalibrationError("a process of the calibration did not answer in time")
    answer = pipe.recv()
    if isinstance(answer, str):
        raise CalibrationError(answer)
    return answer


def _measure(pipe: Connection, bench: Bench, gpus: str | None) -> None:
    """What a process does with the trials and data that come through the pipe; what goes wrong is told in one line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends this process
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    try:
        from greenexp.training.calibration import observe, report_time, rounds

        trials, data = pipe.recv()
        pipe.send(())
        begun, first = time.monotonic(), observe(0, trials[0], data[0], bench, WARM_S)
        report_time(trials[0], data[0], bench, 0.0, 0.0)  # the first one imports what it needs
        pipe.send(max(0.0, time.monotonic() - begun - first.train_s - first.eval_s))
        pipe.send(rounds(trials, data, bench, time.monotonic() + pipe.recv()))
    except Exception as error:  # a method's own code may raise anything
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0])
