"""Rebuilding a scheduler from the journal, and checking that it comes to the recorded decisions."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable

from greenexp.errors import ReplayError
from greenexp.journal.events import Event
from greenexp.journal.state import SweepState
from greenexp.records.decision import Verdict
from greenexp.records.epoch import EpochRecord
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts, costs_so_far
from greenexp.records.progress import Epochs
from greenexp.schedulers import Scheduler
from greenexp.tuning.searching import Searching


def rebuild(scheduler: Scheduler, events: Iterable[Event], search: Searching | None = None) -> tuple[Verdict, ...]:
    """Feed a fresh scheduler the journal's reports, ends and failures in their order.

    search: the fresh search of an open plan, which is asked again for every proposal that the journal holds; the
        scheduler has the first configuration, and the others enter it here

    Returns the verdicts the journal lacks because the driver died between a report and its decision; the caller
    writes them. Raises ReplayError at the first recorded decision the scheduler does not come to: the journal, the
    sweep file or the scheduler's code has changed, and going on would mix two rules in one sweep.
    """
    expected: deque[Verdict] = deque()
    seen: set[tuple[str, Epochs]] = set()
    state = SweepState()
    for event in events:
        if search is not None and event.kind == "proposal":
            _propose_again(event, state, search, scheduler)
        if search is not None or scheduler.compares_objectives:
            state.apply(event)
        if event.kind == "decision":
            _check(event, expected)
        elif event.kind == "report":
            _refuse_missing(event, expected)
            record = EpochRecord.from_json(event.data["record"])
            key = (event.data["trial"], record.epoch)
            objectives = objectives_told(scheduler, state, event.data["trial"], record)
            verdicts: tuple[Verdict, ...] = ()
            if record.last:
                verdicts = scheduler.finish(*key, record.best_score, objectives=objectives)
            elif key not in seen:
                costs = dataclasses.asdict(record.costs)
                verdicts = scheduler.decide(*key, record.best_score, costs, objectives).verdicts
            expected.extend(verdict for verdict in verdicts if verdict.rung is not None)
            seen.add(key)
        elif event.kind == "ended" and event.data["status"] == "failed":
            _refuse_missing(event, expected)
            withdrawn = scheduler.withdraw(event.data["trial"], event.data.get("reason", ""))
            expected.extend(verdict for verdict in withdrawn if verdict.rung is not None)
        elif event.kind == "search_done":
            _refuse_missing(event, expected)
            expected.extend(verdict for verdict in scheduler.close() if verdict.rung is not None)
    return tuple(expected)


def objectives_told(scheduler: Scheduler, state: SweepState, trial: str, record: EpochRecord) -> ObjectiveCosts:
    """The objectives besides the score that the scheduler is told with a report; none where it compares scores alone.

    state: the sweep's after the report
    """
    if not scheduler.compares_objectives:
        return NO_COSTS
    spec = state.spec
    return costs_so_far(spec.objectives, state.trials[trial].records, spec.metric, record.epoch)


def _propose_again(event: Event, state: SweepState, search: Searching, scheduler: Scheduler) -> None:
    number, values = event.data["number"], event.data["values"]
    search.check(state, number, values, event.data.get("memory", {}))
    if number > 0:
        trials = [trial.trial for trial in search.trials(number, values)]
        scheduler.enter(event.data["configuration"], trials)


def _check(event: Event, expected: deque[Verdict]) -> None:
    """Compare what the journal has: one of an earlier version lacks fields that were added to verdicts since."""
    recorded = {name: value for name, value in event.data.items() if name != "reason"}
    if not expected:
        raise ReplayError(f"event {event.number}: the journal holds a decision ({recorded}) the scheduler never took")
    verdict = expected.popleft()
    taken = {name: value for name, value in verdict.to_json().items() if name in recorded}
    if taken != recorded:
        raise ReplayError(f"event {event.number}: the journal says {recorded}, replaying it says {taken}")


def _refuse_missing(event: Event, expected: deque[Verdict]) -> None:
    """Only the end of a journal may lack decisions, and those are written on resuming, before anything else."""
    if expected and event.kind in {"report", "ended", "search_done"}:
        raise ReplayError(f"event {event.number}: the journal lacks the decision {expected[0]} before it")
