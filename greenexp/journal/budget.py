"""The budget ledger: what a sweep has used on every axis, and which limit it has reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from greenexp.journal.state import SweepState, TrialState
from greenexp.records.axes import AXES
from greenexp.records.epoch import EpochRecord
from greenexp.records.history import LimitReached

_ROUNDING = 1e-12
"""Of a sum of parts of epochs: 12 of them in thirds may come to a little more than 4."""


def used(state: SweepState) -> dict[str, float | None]:
    """What the sweep has used per axis, repeated work of later attempts included.

    `wall_s` is elapsed time (what a limit on wall clock means); every other axis adds up over trials and epochs.
    None where any report lacks the axis, as a partial sum is not a total, and where nothing has run: that is not
    measured, and no cost of 0.
    """
    return {axis: _counted(state, axis, state.spent.total) for axis in AXES}


def lost(state: SweepState) -> dict[str, float | None]:
    """What of it was paid for work that no report covers or that was done twice; as in the table `ledger`.

    None where it is not known; `trials` has none. `wall_s` is in worker seconds.
    """
    again = [record for trial in state.trials.values() for record in _repeated(trial)]
    found: dict[str, float | None] = {axis: _lost_on(state, axis, again) for axis in AXES if axis != "trials"}
    return found


def _repeated(trial: TrialState) -> Iterator[EpochRecord]:
    """Reports that a later attempt made again."""
    final = {record.epoch: attempt for attempt, _, record in trial.reports}
    return (record for attempt, _, record in trial.reports if final[record.epoch] != attempt)


def _lost_on(state: SweepState, axis: str, again: Sequence[EpochRecord]) -> float | None:
    if axis == "epochs":
        return len(again) / state.spec.training.reports_per_epoch
    costs = [getattr(record.costs, axis) for record in again]
    if axis == "wall_s":
        return float(sum(costs)) + sum(trial.lost_wall_s for trial in state.trials.values())
    if state.spent.total(axis) is None or any(trial.broken for trial in state.trials.values()):
        return None
    return float(sum(costs)) + sum(trial.lost.get(axis, 0.0) for trial in state.trials.values())


def reserved(state: SweepState) -> dict[str, float]:
    """What running trials are expected to use until their next reports, on the axes that have a limit."""
    if not state.sessions or state.sessions[-1].closed is not None:
        return {}
    running = [trial for trial in state.trials.values() if trial.status == "running"]
    axes = [axis for axis in _limited(state.spec.budget.limits()) if axis != "wall_s"]
    return {axis: sum(_expected(state, trial, axis) for trial in running) for axis in axes}


def _counted(state: SweepState, axis: str, spent: Callable[[str], float | None]) -> float | None:
    """What was used on one axis; spent: says it for those that add up over epochs."""
    if axis == "trials":
        return float(sum(trial.attempts > 0 for trial in state.trials.values()))
    if axis == "epochs":
        return float(state.epochs_run)
    return state.elapsed_s if axis == "wall_s" else spent(axis)


def limit_reached(state: SweepState, limits: Mapping[str, float]) -> LimitReached | None:
    """The first limit (in the order of the axes) that the sweep has used up, if any.

    `trials` is special: it limits how many are started (the caller starts no more), so reaching it ends nothing. An
    axis that some report could not measure counts as reached: a limit that nobody watches is none.
    """
    for axis in _limited(limits):
        value = _counted(state, axis, state.spent.so_far)
        if value is None or value >= limits[axis]:
            return LimitReached(axis, value, limits[axis])
    return None


def _limited(limits: Mapping[str, float]) -> list[str]:
    return [axis for axis in AXES if axis in limits and axis != "trials"]


def room_for(
    state: SweepState, trial: TrialState, running: Sequence[TrialState], limits: Mapping[str, float]
) -> LimitReached | None:
    """The first limit that `trial` would pass before its next report, counting what `running` is doing until theirs.

    A report is expected to cost what the same trial's last one did, else the mean of all reports so far, else nothing.
    On wall clock the running ones pass at the same time, so only this trial's counts. Reserving keeps a sweep from
    overshooting by one report per worker.
    """
    for axis in _limited(limits):
        total = _counted(state, axis, state.spent.so_far)
        if total is None:
            return LimitReached(axis, None, limits[axis])
        under_way = 0.0 if axis == "wall_s" else sum(_expected(state, other, axis) for other in running)
        if total + under_way + _expected(state, trial, axis) > limits[axis] * (1 + _ROUNDING):
            return LimitReached(axis, total, limits[axis])
    return None


def _expected(state: SweepState, trial: TrialState, axis: str) -> float:
    """What `trial` will add to `axis` until its next report, as far as is known."""
    if axis == "epochs":
        return 1 / state.spec.training.reports_per_epoch
    last = getattr(trial.reports[-1][2].costs, axis) if trial.reports else None
    if last is None and state.reports_run:
        last = (state.spent.so_far(axis) or 0.0) / state.reports_run
    return float(last or 0.0)
