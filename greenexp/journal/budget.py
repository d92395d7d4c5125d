"""The budget ledger: what a sweep has used on every axis, and which limit it has reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from greenexp.journal.state import SweepState
from greenexp.records.axes import AXES


@dataclass(frozen=True, slots=True)
class LimitReached:
    """A limit and what was used when it was passed, in the axis' unit."""

    axis: str
    used: float
    limit: float


def used(state: SweepState) -> dict[str, float | None]:
    """What the sweep has used per axis, repeated work of later attempts included.

    `wall_s` is elapsed time (what a limit on wall clock means); every other axis adds up over trials and epochs.
    None where any report lacks the axis: a partial sum is not a total.
    """
    totals: dict[str, float | None] = {
        **state.spent,
        "trials": float(sum(trial.attempts > 0 for trial in state.trials.values())),
        "epochs": float(state.epochs_run),
        "wall_s": state.elapsed_s,
    }
    return {axis: totals[axis] for axis in AXES}


def limit_reached(state: SweepState, limits: Mapping[str, float]) -> LimitReached | None:
    """The first limit (in the order of the axes) that the sweep has used up, if any.

    `trials` is special: it limits how many are started (the caller starts no more), so reaching it ends nothing.
    """
    totals = used(state)
    for axis in AXES:
        value = totals[axis]
        if axis in limits and axis != "trials" and value is not None and value >= limits[axis]:
            return LimitReached(axis, value, limits[axis])
    return None
