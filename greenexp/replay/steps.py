"""Reading a staircase: sums over everybody's exit at each point, and the same staircase with fewer points."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from greenexp.replay.family import Staircase
from greenexp.replay.record import Ints

Number = TypeVar("Number", np.int64, np.float64)


def one_step(threshold: float, taken: Ints) -> Staircase:
    """The staircase of a single operating point; taken: places in the record, int64 [example]."""
    nobody = np.zeros(0, dtype=np.int64)
    return Staircase(np.array([threshold], dtype=np.float64), taken, nobody, nobody, nobody, nobody)


def events_so_far(point: Ints, points: int) -> Ints:
    """How many events have happened at each of `points` points, int64 [point]; point: of each event, ascending."""
    return np.cumsum(np.bincount(point, minlength=points))


def totals(steps: Staircase, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """The sum of `values` [exit, example] over everybody's exit, at each point: one addition per event."""
    first = values[steps.start, np.arange(values.shape[1])].sum()
    change = values[steps.after, steps.example] - values[steps.before, steps.example]
    return running(first, change, events_so_far(steps.point, len(steps.thresholds)))


def running(first: float, change: npt.NDArray[Number], so_far: Ints) -> npt.NDArray[Number]:
    """A sum at each point, from what it is at the first one and by how much each event changes it.

    so_far: int64 [point], how many events there were
    """
    sums = np.empty(len(change) + 1, dtype=change.dtype)
    sums[0] = first
    np.cumsum(change, out=sums[1:])
    sums[1:] += sums[0]
    return sums[so_far]


def thinned(steps: Staircase, keep: Ints) -> Staircase:
    """The same with the points `keep` alone (places among the points, ascending, each once); exits stay exact."""
    point = np.searchsorted(keep, steps.point)
    begun, over = np.searchsorted(point, [1, len(keep)])
    start = steps.start.copy()
    # An example may move more than once on the way, so the moves are added up.
    np.add.at(start, steps.example[:begun], steps.after[:begun] - steps.before[:begun])
    rest = slice(begun, over)
    return Staircase(
        steps.thresholds[keep], start, point[rest], steps.example[rest], steps.before[rest], steps.after[rest]
    )


def evenly(points: int, most: int) -> Ints:
    """At most `most` of `points` places, evenly spaced, both ends included; int64, ascending."""
    return np.unique(np.linspace(0, points - 1, min(points, most)).round().astype(np.int64))
