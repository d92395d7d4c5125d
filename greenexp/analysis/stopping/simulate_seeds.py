"""Simulated searches in which a scheduler holds seeds back: what a configuration has reported by a cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from greenexp.analysis.curves.best_so_far import best_at
from greenexp.analysis.stopping.simulate_search import Search
from greenexp.records.arrays import Floats
from greenexp.schedulers import Bracket

Place = tuple[int, int]
"""A part of a schedule, and how many seeds count there."""


def seed_places(brackets: Iterable[Bracket], parts: int, seeds: int) -> tuple[Place, ...]:
    """All rungs of a scheduler, rising, and the end of the schedule with all seeds."""
    rungs = {(int(rung.epoch), rung.seeds or seeds) for bracket in brackets for rung in bracket.rungs}
    return tuple(sorted({*rungs, (parts, seeds)}))


def finished_units(search: Search, seeds: int) -> list[int]:
    """The configurations all of whose seeds trained to their end; trials are numbered by configuration, then seed."""
    units, counts = np.unique(np.asarray(search.finished, dtype=np.int64) // seeds, return_counts=True)
    return [int(unit) for unit in units[counts == seeds]]


def best_mean_so_far(search: Search, values: Floats, costs: Floats, places: Sequence[Place], budgets: Floats) -> Floats:
    """Best value of a configuration reported by the time that the search had spent each of `budgets`.

    values, costs: [t, S, T], values signed so that greater is better. A configuration reports a part when the seeds
    that count at the next rung have all come to it, with their mean; NaN where nothing had been reported.
    """
    times = search.times(costs.reshape(-1, costs.shape[2])).reshape(costs.shape)
    reports = list(_reports(times, values, places))
    at = np.concatenate([time for time, _ in reports])
    means = np.concatenate([mean for _, mean in reports])
    come = np.isfinite(at)
    spent = search.spent(costs.reshape(-1, costs.shape[2]), at[come])
    order = np.argsort(spent, kind="stable")
    return best_at(means[come][order], spent[order], budgets)


def _reports(times: Floats, values: Floats, places: Sequence[Place]) -> Iterator[tuple[Floats, Floats]]:
    """(when, mean) of every configuration and part, as far as it comes there; infinite: never."""
    before = 0
    for part, seeds in places:
        parts = slice(before if part > before else part - 1, part)
        yield times[:, :seeds, parts].max(axis=1).ravel(), values[:, :seeds, parts].mean(axis=1).ravel()
        before = part
