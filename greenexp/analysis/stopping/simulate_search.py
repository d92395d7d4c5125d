"""One simulated search: the scheduler of a sweep, asked about recorded curves by workers simulated in time.

A worker trains a unit from one rung to the next in as much time as that costs, asks the scheduler, and goes on, pauses
or stops as a sweep's would. A free worker takes up what has been released, from the last part down and in plan order,
before it begins the next unit; a unit whose turn has not come is passed over. A unit is a configuration, or where the
scheduler holds seeds back, one of its seeds. So an asynchronous scheduler sees reports in the order in which equally
fast workers would bring them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from greenexp.analysis.curves.best_so_far import best_at
from greenexp.records.arrays import Floats
from greenexp.records.decision import Action, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.schedulers import Scheduler


@dataclass(slots=True)
class Search:
    """What happened.

    stretches: (start, unit, part it began after, part it ended with) of every stretch that a worker trained
    finished: units trained to their end, in the order in which they got there
    """

    stretches: list[tuple[float, int, int, int]] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)

    def cost(self, costs: Floats) -> float:
        """What all stretches cost; costs: [t, T], cumulative, of the units searched."""
        _, units, after, until = self._columns()
        return float((costs[units, until - 1] - _before(costs, units, after)).sum())

    def duration(self, costs: Floats) -> float:
        """Time from the first start to the last end, in units of cost per worker."""
        start, units, after, until = self._columns()
        return float((start + costs[units, until - 1] - _before(costs, units, after)).max())

    def best_so_far(self, values: Floats, costs: Floats, budgets: Floats) -> Floats:
        """Best value reported by the time that the search, all workers together, had spent each of `budgets`.

        values, costs: [t, T], values signed so that greater is better; NaN where nothing had been reported.
        """
        start, units, after, until = self._columns()
        lengths = until - after
        which = np.repeat(np.arange(start.size), lengths)
        part = np.concatenate([np.arange(a, b) for a, b in zip(after, until, strict=True)])
        base = _before(costs, units, after)
        times = start[which] + costs[units[which], part] - base[which]
        spent = self.spent(costs, times)
        order = np.argsort(spent, kind="stable")
        return best_at(values[units[which], part][order], spent[order], budgets)

    def times(self, costs: Floats) -> Floats:
        """[t, T]: when each unit came to the end of each part; infinite where it never did."""
        found = np.full(costs.shape, np.inf)
        for start, unit, after, until in self.stretches:
            base = costs[unit, after - 1] if after else 0.0
            found[unit, after:until] = start + costs[unit, after:until] - base
        return found

    def spent(self, costs: Floats, times: Floats) -> Floats:
        """What all stretches together had cost by each of `times`."""
        start, units, after, until = self._columns()
        return _spent(start, start + costs[units, until - 1] - _before(costs, units, after), times)

    def _columns(self) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        start, units, after, until = zip(*self.stretches, strict=True)
        whole = (np.asarray(column, dtype=np.int64) for column in (units, after, until))
        return np.asarray(start, dtype=np.float64), *whole  # type: ignore[return-value]


def run_search(
    scheduler: Scheduler,
    names: Sequence[str],
    values: Floats,
    costs: Floats,
    rungs: Sequence[int],
    workers: int,
    axis: str = "",
    objectives: Sequence[Sequence[ObjectiveCosts]] = (),
) -> Search:
    """Drive `scheduler`, fresh, over the units `names`, in this order.

    values, costs: [t, T], costs cumulative; rungs: every part at which some bracket judges, rising: asking at those
        alone gives the verdicts of asking after every part; workers: units trained at a time
    axis: the budget axis that `costs` are told on, of a scheduler whose rungs are costs: there, every part is one
    objectives: [t][T], the costs among several objectives, of a scheduler that compares these
    """
    whole = values.shape[1]
    search, queue = Search(), _Queue(unit for unit, name in enumerate(names) if scheduler.may_begin(name))
    place = {name: unit for unit, name in enumerate(names)}
    running: list[tuple[float, int, int, int]] = []  # (end, number, unit, part): the number breaks ties of time
    begun = 0

    def train(unit: int, after: int, now: float) -> None:
        nonlocal begun
        until = next((rung for rung in rungs if after < rung < whole), whole)
        length = costs[unit, until - 1] - (costs[unit, after - 1] if after else 0.0)
        search.stretches.append((now, unit, after, until))
        heapq.heappush(running, (now + length, begun, unit, until))
        begun += 1

    def told(unit: int, part: int) -> ObjectiveCosts:
        return objectives[unit][part - 1] if objectives else NO_COSTS

    now = 0.0
    while True:
        while len(running) < workers and (following := queue.take()) is not None:
            train(*following, now)
        if not running:
            return search
        now, _, unit, part = heapq.heappop(running)
        if part == whole:
            search.finished.append(unit)
            queue.obey(place, scheduler.finish(names[unit], part, float(values[unit, part - 1]), told(unit, part)))
            continue
        used = {axis: costs[unit, part - 1] - (costs[unit, part - 2] if part > 1 else 0.0)} if axis else None
        decision = scheduler.decide(names[unit], part, float(values[unit, part - 1]), used, told(unit, part))
        queue.obey(place, decision.others)
        if decision.action is Action.GO_ON:
            train(unit, part, now)
        elif decision.action is Action.PAUSE:
            queue.paused[unit] = part


class _Queue:
    """Units without a worker: not begun, paused, or released."""

    def __init__(self, first: Iterable[int]) -> None:
        self.paused: dict[int, int] = {}
        self._released: list[tuple[int, int]] = []
        self._planned = list(first)  # those whose turn has come, a heap
        heapq.heapify(self._planned)

    def take(self) -> tuple[int, int] | None:
        """(unit, part it is at) that goes next, or None."""
        if self._released:
            part, unit = heapq.heappop(self._released)
            return unit, -part
        return (heapq.heappop(self._planned), 0) if self._planned else None

    def obey(self, place: dict[str, int], verdicts: Sequence[Verdict]) -> None:
        """Release or drop those that waited, for others or for their turn."""
        for verdict in verdicts:
            unit = place[verdict.trial]
            part = self.paused.pop(unit, None)
            if verdict.action is Action.GO_ON and part is None:
                heapq.heappush(self._planned, unit)
            elif verdict.action is Action.GO_ON and part is not None:
                heapq.heappush(self._released, (-part, unit))


def _before(costs: Floats, units: NDArray[np.int64], after: NDArray[np.int64]) -> Floats:
    """Cumulative cost at the beginning of stretches."""
    return np.where(after > 0, costs[units, np.maximum(after, 1) - 1], 0.0)


def _spent(start: Floats, end: Floats, times: Floats) -> Floats:
    """What all stretches together had cost by each of `times`: sum of min(time, end) - start over those begun."""
    totals = np.zeros_like(times)
    for points, sign in ((np.sort(start), 1.0), (np.sort(end), -1.0)):
        before = np.searchsorted(points, times, side="right")
        sums = np.concatenate(([0.0], np.cumsum(points)))
        totals += sign * (before * times - sums[before])
    return totals
