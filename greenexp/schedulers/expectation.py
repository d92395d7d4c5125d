"""What to expect of a scheduler whose counts depend on the order of arrival: it is run over random orders."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import ClosingScheduler, SchedulerSettings, UnitScheduler
from greenexp.schedulers.brackets import Bracket, Rung

_ARRIVALS = 20_000
"""Units that are drawn in all, times the rungs that they may come to: a few tenths of a second."""
_MOST_REPORTS = 10_000


@lru_cache(maxsize=64)
def expected_bracket(
    settings: SchedulerSettings, units: int, rungs: tuple[Epochs, ...], max_epochs: int, number: int = 0
) -> Bracket:
    """The bracket of `units` units under `settings`, with the mean counts over random orders.

    rungs: all epochs at which a unit may be judged
    Every unit has one uniform value, the same at every rung; the units come to the lowest rung in random order, then
    those that went on to the next in the order in which they went on, and so on. Deterministic: seeded by `units` and
    `rungs`. Assumes that the order of the values at one rung persists at the next.
    """
    rng = random.Random(f"{units}/{rungs}/{max_epochs}")
    repeats = max(1, min(200, _ARRIVALS // max(1, units * len(rungs))))
    stopped: Counter[Epochs] = Counter()
    names = [str(place) for place in range(units)]
    on_epochs = getattr(settings, "resource", EPOCHS) == EPOCHS
    per_epoch = _reports_per_epoch(rungs) if on_epochs else 2  # any number but one report, on which it does not depend
    for _ in range(repeats):
        values = {name: rng.random() for name in names}
        stopped.update(_stops(_filled(settings, names, max_epochs, per_epoch), values))
    left = [float(units)]
    for epoch in rungs:
        left.append(left[-1] - stopped[epoch] / repeats)
    resource = getattr(settings, "resource", EPOCHS)
    return Bracket(number, units, tuple(map(Rung, rungs, left, left[1:])), max_epochs, exact=False, resource=resource)


def _reports_per_epoch(rungs: Sequence[Epochs]) -> int:
    """The fewest reports per epoch that put a report at every rung; with more of them, rungs lie where they do."""
    return math.lcm(*(Fraction(rung).limit_denominator(_MOST_REPORTS).denominator for rung in rungs))


def _filled(settings: SchedulerSettings, names: Sequence[str], max_epochs: int, per_epoch: int) -> UnitScheduler:
    """A running scheduler over all of them; also over fewer than it would be started with."""
    options = {"reports_per_epoch": per_epoch} if per_epoch > 1 else {}
    run = settings.start((), max_epochs=max_epochs, later=math.inf, **options)
    for name in names:
        run.enter(name)
    if isinstance(run, ClosingScheduler):
        run.close()
    return run


def _stops(run: UnitScheduler, values: dict[str, float]) -> list[Epochs]:
    """The epochs of the rungs at which units were stopped."""
    queue: list[tuple[Epochs, int, str]] = [
        (place.epoch, number, name) for number, name in enumerate(values) if (place := run.next_rung(name))
    ]
    heapq.heapify(queue)
    number, stops = len(queue), []
    while queue:
        _, _, name = heapq.heappop(queue)
        for verdict in run.arrive(name, values[name]):
            place = run.next_rung(verdict.unit)
            if not verdict.go_on:
                stops.append(verdict.rung)
            elif place is not None:
                heapq.heappush(queue, (place.epoch, number, verdict.unit))
                number += 1
    return stops
