"""Which fronts a share of the trials reaches: the empirical attainment function.

A trial attains a goal z if one of its points is at least as good as z in both columns. Over N trials (seeds), the
attainment function is the share of trials that attain z; it estimates the probability that the next trial will. Its
level curve for a share q bounds the goals attained by at least k = ceil(q N) trials: the curve of k = 1 is the best of
all, of k = N what every trial reaches, between them a median front (Grunert da Fonseca, Fonseca & Hall 2001;
Lopez-Ibanez, Paquete & Stutzle 2010). A mean of fronts would not be one: this curve is attained, at every place, by k
trials.

Sweeping the first column from its best value on, keep each trial's best second column so far; the k-th best of these is
the curve's height. A row with a NaN was not measured completely and attains nothing; a trial without any complete row
counts in N and attains nothing. Copies of a point change nothing.

Assumptions: trials are independent and alike (seeds of one configuration); curves have no confidence by themselves, the
shares of `attainment_probability` have, each for itself.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from greenexp.analysis.fronts.pareto import Directions, as_costs
from greenexp.analysis.numbers.rounding import lowered
from greenexp.records.arrays import Floats

LEVELS = (0.25, 0.5, 0.75)


def attainment(
    points: ArrayLike,
    trials: Sequence[Hashable],
    levels: Sequence[float] = LEVELS,
    directions: Directions = "min",
) -> pd.DataFrame:
    """The level curves of the attainment function of `points`, two columns.

    points: [R, 2]; trials: [R], whose point each row is; levels: shares in (0, 1]; directions: as in `pareto_front`.
    level, trials (k, how many attain it), first, second: the corners of each curve, best first column first; between
    corners the curve is a staircase. No row for a level that fewer than k trials reach anywhere. O(R log R + R N).
    Raises ValueError for other shapes and levels.
    """
    costs, owners, total = _owned(points, trials, directions)
    if not levels or not all(0 < level <= 1 for level in levels):
        raise ValueError("levels must be shares above 0 and up to 1")
    needed = [max(1, math.ceil(lowered(level * total))) for level in levels]
    corners = _corners(costs, owners, sorted(set(needed)))
    signs = as_costs(np.ones((1, 2)), directions)[0]
    rows = [
        (level, k, float(x * signs[0]), float(y * signs[1]))
        for level, k in zip(levels, needed, strict=True)
        for x, y in corners[k]
    ]
    table = pd.DataFrame(rows, columns=["level", "trials", "first", "second"])
    return table.astype({"level": "float64", "trials": "int64", "first": "float64", "second": "float64"})


def attainment_probability(
    points: ArrayLike,
    trials: Sequence[Hashable],
    goals: ArrayLike,
    confidence: float = 0.95,
    directions: Directions = "min",
) -> pd.DataFrame:
    """With which probability a trial attains each goal, in any number of columns.

    goals: [G, d]. A row per goal: attained (trials), trials (N), share, lower, upper: the exact binomial interval
    (Clopper & Pearson 1934), each goal for itself. Goals must not be chosen by looking at these points.
    """
    costs, owners, total = _owned(points, trials, directions, columns=None)
    wanted = as_costs(goals, directions)
    if wanted.shape[1] != costs.shape[1] or np.isnan(wanted).any() or not 0 < confidence < 1:
        raise ValueError("goals must have the points' columns and no NaN, the confidence must lie between 0 and 1")
    reached = np.atleast_2d((costs[None] <= wanted[:, None]).all(axis=2))
    counts = np.array([np.unique(owners[row]).size for row in reached], dtype=np.int64)
    alpha = (1 - confidence) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(counts > 0, stats.beta.ppf(alpha, counts, total - counts + 1), 0.0)
        high = np.where(counts < total, stats.beta.ppf(1 - alpha, counts + 1, total - counts), 1.0)
    facts = {"attained": counts, "trials": total, "share": counts / total, "lower": low, "upper": high}
    return pd.DataFrame(facts)


def _owned(
    points: ArrayLike, trials: Sequence[Hashable], directions: Directions, columns: int | None = 2
) -> tuple[Floats, NDArray[np.int64], int]:
    """Costs of the complete rows, the number of the trial of each, and how many trials there are."""
    costs = as_costs(points, directions)
    if columns is not None and costs.shape[1] != columns:
        raise ValueError(f"attainment curves are for {columns} columns, received {costs.shape[1]}")
    if len(trials) != len(costs) or not len(trials):
        raise ValueError(f"{len(trials)} trials are named for {len(costs)} points; at least one is needed")
    number = {owner: place for place, owner in enumerate(dict.fromkeys(trials))}
    owners = np.array([number[owner] for owner in trials], dtype=np.int64)
    complete = ~np.isnan(costs).any(axis=1)
    return costs[complete], owners[complete], len(number)


def _corners(costs: Floats, owners: NDArray[np.int64], needed: list[int]) -> dict[int, list[tuple[float, float]]]:
    """The corners of the curve that k trials attain, for each k in `needed`."""
    found: dict[int, list[tuple[float, float]]] = {k: [] for k in needed}
    heights: list[float] = []  # the best second column of every trial met so far, ascending
    best: dict[int, float] = {}
    order = np.lexsort((costs[:, 1], costs[:, 0]))
    for place, row in enumerate(order):
        x, height, owner = float(costs[row, 0]), float(costs[row, 1]), int(owners[row])
        known = best.get(owner, math.inf)
        if height < known:
            if owner in best:
                heights.pop(bisect.bisect_left(heights, known))
            bisect.insort(heights, height)
            best[owner] = height
        last = place + 1 == len(order) or costs[order[place + 1], 0] > x
        for k in needed if last else ():
            if len(heights) >= k and (not found[k] or heights[k - 1] < found[k][-1][1]):
                found[k].append((x, heights[k - 1]))
    return found
