"""The fronts that simulated searches come to, where recorded curves have several objectives.

A point is a unit that a search trained to its end: its final score and its costs among the objectives, means over its
seeds. What a front is worth is its hypervolume, up to the worst final value of each objective among all recorded units
(`analysis.fronts.pareto`); a search that has trained nothing to its end dominates nothing, and has 0.

    expected hypervolume   EHV(t) + mean over R searches of (h - g),  standard error = s(h - g) / sqrt(R)

h is the hypervolume of what a search trained to its end, g that of all t units it drew, whose expectation EHV(t) is
known exactly for a score and one cost (`analysis.fronts.expected_hypervolume`); with more costs, it is the mean of h.
As with the best score, the cost of training n units to their end with the same expected hypervolume says
what a scheduler saves.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
from greenexp.analysis.fronts.pareto import hypervolume, pareto_front
from greenexp.analysis.numbers.rounding import raised
from greenexp.analysis.stopping.simulate_curves import RecordedCurves
from greenexp.analysis.stopping.simulate_saving import equal_result, mean_and_error
from greenexp.analysis.stopping.simulate_search import Search
from greenexp.analysis.stopping.simulate_seeds import finished_units
from greenexp.records.arrays import Floats
from greenexp.records.objectives import SCORE, ObjectiveCosts

_SAVING = ("equal_trials", "equal_cost", "saved", "saved_low", "saved_high")
FRONTS = (
    "scheduler", "trials", "expected_hypervolume", "error", "share_of_all", "cost", "share_of_full", "finished",
    *_SAVING, "no_saving",
)  # fmt: skip
FRONT_SO_FAR = ("scheduler", "trials", "budget", "expected_hypervolume", "error", "finished")
_PAIR = 2
_UNCOMPARED = "full training is compared exactly for the score and one cost alone"


@dataclass(frozen=True)
class FinalPoints:
    """Where each recorded unit stands at its end.

    points: [N, 1 + K], the score and the costs; directions: which values are better; reference: the worst of each
    full: [N, 2], expected hypervolume of n = 1 .. N full runs and their expected cost, empty for more than one cost
    refusal: why hypervolumes cannot be computed, ""; they are NaN then
    """

    points: Floats
    directions: tuple[str, ...]
    reference: Floats
    full: Floats
    refusal: str = ""

    def volume(self, units: NDArray[np.int64]) -> float:
        """The hypervolume of these units, of recorded ones."""
        return math.nan if self.refusal else hypervolume(self.points[units], self.reference, self.directions)

    def front(self) -> NDArray[np.int64]:
        """The recorded units that no other dominates."""
        return np.flatnonzero(pareto_front(self.points, self.directions))


def final_points(curves: RecordedCurves, *, replace: bool) -> FinalPoints | None:
    """The points of curves with several objectives; None where the score is the only one."""
    if curves.objective_costs is None:
        return None
    points = np.column_stack((curves.final, curves.objective_costs[:, -1]))
    directions = ("min" if curves.minimize else "max", *("min" for _ in curves.objectives))
    worst = [column.min() if way == "max" else column.max() for column, way in zip(points.T, directions, strict=True)]
    reference = np.asarray(worst, dtype=np.float64)
    if points.shape[1] != _PAIR:
        return FinalPoints(points, directions, reference, np.empty((0, 2)), _refusal(points, reference, directions))
    sizes = np.arange(1, len(points) + 1)
    expected = expected_hypervolume(points, sizes, reference, "biased" if replace else "unbiased", directions)
    full = np.column_stack((expected, sizes * curves.full_cost.mean()))
    return FinalPoints(points, directions, reference, full)


def _refusal(points: Floats, reference: Floats, directions: tuple[str, ...]) -> str:
    try:
        hypervolume(points, reference, directions)
    except ValueError as error:  # the package that more than one cost needs is missing
        return str(error)
    return ""


@dataclass
class SearchFronts:
    """What R searches under one scheduler trained to the end, collected search by search.

    volumes, full_volumes: of what was trained to the end, and of all units drawn; at_budgets: [R][B] hypervolumes
    began, ended: [N] in how many searches each recorded unit was drawn, and trained to the end
    """

    final: FinalPoints
    volumes: list[float] = dataclasses.field(default_factory=list)
    full_volumes: list[float] = dataclasses.field(default_factory=list)
    at_budgets: list[list[float]] = dataclasses.field(default_factory=list)
    any_at_budgets: list[list[bool]] = dataclasses.field(default_factory=list)
    began: Floats = dataclasses.field(init=False)
    ended: Floats = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.began, self.ended = np.zeros(len(self.final.points)), np.zeros(len(self.final.points))

    def add(self, search: Search, drawn: NDArray[np.int64], costs: Floats, budgets: Floats) -> None:
        """Take in one search. drawn: [t] recorded units; costs: [t x S, T], cumulative, of all their trials."""
        seeds = len(costs) // len(drawn)
        ended = drawn[finished_units(search, seeds)]
        self.volumes.append(self.final.volume(ended))
        self.full_volumes.append(self.final.volume(drawn))
        self.began[np.unique(drawn)] += 1
        self.ended[np.unique(ended)] += 1
        if not budgets.size:
            return
        times = search.times(costs)[:, -1].reshape(len(drawn), seeds).max(axis=1)  # infinite: never
        come = np.flatnonzero(np.isfinite(times))
        spent = search.spent(costs, times[come])
        there = [drawn[come[spent <= limit]] for limit in raised(budgets)]
        self.at_budgets.append([self.final.volume(units) for units in there])
        self.any_at_budgets.append([units.size > 0 for units in there])

    def row(self, size: int, searches: Mapping[str, Any]) -> dict[str, Any]:
        """A row of FRONTS without scheduler and trials; searches: the row of the same searches in `SEARCHES`."""
        volumes, drawn = np.asarray(self.volumes), np.asarray(self.full_volumes)
        known = {name: searches[name] for name in ("cost", "share_of_full", "finished")}
        whole = self.final.volume(np.arange(len(self.final.points)))
        if len(self.final.full):
            difference, error = mean_and_error(volumes - drawn)
            expected = float(self.final.full[size - 1, 0]) + difference
            cost, cost_error = float(searches["cost"]), float(searches["cost_error"])
            saving = equal_result(self.final.full, expected, error, cost, cost_error)
        else:
            expected, error = mean_and_error(volumes)
            saving = dict.fromkeys(_SAVING, math.nan) | {"no_saving": _UNCOMPARED}
        share = expected / whole if whole > 0 else math.nan
        return {"expected_hypervolume": expected, "error": error, "share_of_all": share, **known, **saving}

    def so_far(self, budgets: Floats) -> list[dict[str, Any]]:
        """Rows of FRONT_SO_FAR without scheduler and trials; finished: share of searches with a unit at its end."""
        if not self.at_budgets:
            return []
        volumes, some = np.asarray(self.at_budgets), np.asarray(self.any_at_budgets)
        rows = []
        for place, budget in enumerate(budgets):
            mean, error = mean_and_error(volumes[:, place])
            rows.append({"budget": float(budget), "expected_hypervolume": mean, "error": error,
                         "finished": float(some[:, place].mean())})  # fmt: skip
        return rows


def told_objectives(curves: RecordedCurves, costs: Floats) -> list[Sequence[ObjectiveCosts]]:
    """[t][T], what a scheduler is told of each trial after each part. costs: [t, T, K]."""
    names = curves.objectives
    return [[ObjectiveCosts(dict(zip(names, map(float, part), strict=True))) for part in trial] for trial in costs]


def front_table(curves: RecordedCurves, final: FinalPoints, found: Mapping[str, SearchFronts]) -> pd.DataFrame:
    """A row per recorded unit on the front of all: unit, score, its costs, and a column per scheduler.

    That is the share of its searches which drew the unit that trained it to the end (NaN: none drew it). The best score
    comes first.
    """
    units = final.front()
    order = units[np.argsort(curves.final[units] if curves.minimize else -curves.final[units], kind="stable")]
    columns: dict[str, Any] = {"unit": [curves.units[unit] for unit in order]}
    columns |= dict(zip((SCORE, *curves.objectives), final.points[order].T, strict=True))
    for label, fronts in found.items():
        with np.errstate(invalid="ignore"):
            columns[label] = fronts.ended[order] / fronts.began[order]
    return pd.DataFrame(columns)


def reference_in_words(curves: RecordedCurves, final: FinalPoints) -> str:
    """`score 0.51, flops 2e+09`."""
    names: Sequence[str] = (SCORE, *curves.objectives)
    return ", ".join(f"{name} {value:.6g}" for name, value in zip(names, final.reference, strict=True))
