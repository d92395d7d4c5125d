"""Expected area dominated by the front of n trials: the tuning curve of a whole front.

The front of n trials drawn from N dominates a place z if one of them does. With m(z) of the N trials dominating z,

    biased    EHV(n) = integral [1 - (1 - m(z)/N)^n] dz            n draws with replacement
    unbiased  EHV(n) = integral [1 - C(N - m(z), n) / C(N, n)] dz  n draws without replacement

over the area that is better than the reference. In two dimensions m is constant on the rectangles between the points'
coordinates, so the integral is an exact sum: it is collected once per value of m and serves every n. With one column
alone this is the tuning curve minus the reference; U at n = N is the hypervolume of the front of all trials.

Assumptions: trials are independent draws from one distribution, each trained to its end.
"""

from __future__ import annotations

import bisect
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from greenexp.analysis.curves.tuning_curve import Estimator, named
from greenexp.analysis.fronts.pareto import Directions, as_costs
from greenexp.records.arrays import Floats


def expected_hypervolume(
    points: ArrayLike,
    budgets: ArrayLike,
    reference: ArrayLike,
    estimator: Estimator = "unbiased",
    directions: Directions = "min",
    trials: Sequence[Hashable] | None = None,
) -> Floats:
    """Expected hypervolume of the front of n trials, for each n in `budgets`.

    points: [R, 2]; trials: [R], whose point each row is, as a multi-exit model has several; None: one row per trial.
    budgets: whole numbers from 1 to the number of trials; reference: [2], the worst corner; result: the shape of
    `budgets`, unit: product of the columns' units. A trial whose points are all NaN, or none better than the reference,
    counts as a trial that adds nothing. Raises ValueError as `hypervolume` and `tuning_curve` do.
    """
    kind = named(estimator)
    costs = as_costs(points, directions)
    corner = as_costs(np.asarray(reference, dtype=np.float64).reshape(1, -1), directions)[0]
    if costs.shape[1] != 2 or corner.shape != (2,) or not np.isfinite(corner).all():
        raise ValueError("points must have 2 columns, and the reference must be 2 finite numbers")
    owners = list(range(len(costs))) if trials is None else list(trials)
    if len(owners) != len(costs):
        raise ValueError(f"{len(owners)} trials are named for {len(costs)} points")
    number = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
    total = len(number)
    sizes = np.asarray(budgets)
    if not np.issubdtype(sizes.dtype, np.number) or (sizes != np.floor(sizes)).any():
        raise ValueError("budgets must be whole numbers of trials")
    if total == 0 or (sizes.size and (sizes.min() < 1 or sizes.max() > total)):
        raise ValueError(f"budgets must lie between 1 and the number of trials, {total}")
    if np.isneginf(costs).any():
        raise ValueError("a point with an infinitely good value dominates an infinite area")
    area = _area_by_count(costs, np.array([number[owner] for owner in owners]), corner, total)
    volumes = [area @ _reached(total, int(n), kind) for n in sizes.reshape(-1)]
    return np.asarray(volumes, dtype=np.float64).reshape(sizes.shape)


def _area_by_count(costs: Floats, owners: NDArray[np.int64], corner: Floats, total: int) -> Floats:
    """[total + 1]: the area that exactly m trials dominate, m = 0 left at 0. Sweeps the first column once, O(R N)."""
    inside = np.flatnonzero((costs < corner).all(axis=1))  # false for NaN
    order = inside[np.lexsort((costs[inside, 1], costs[inside, 0]))]
    area = np.zeros(total + 1)
    heights: list[float] = []  # the best second column of every trial met so far, ascending
    best: dict[int, float] = {}
    ends = np.append(costs[order, 0], corner[0])[1:]
    for row, end in zip(order, ends, strict=True):
        height, owner = float(costs[row, 1]), int(owners[row])
        known = best.get(owner)
        if known is None or height < known:
            if known is not None:
                heights.pop(bisect.bisect_left(heights, known))
            bisect.insort(heights, height)
            best[owner] = height
        width = end - costs[row, 0]
        if width > 0:
            area[1 : len(heights) + 1] += width * np.diff(np.array([*heights, corner[1]]))
    return area


def _reached(total: int, n: int, estimator: Estimator) -> Floats:
    """[total + 1]: the probability that n draws contain one of m trials, for m = 0 .. total."""
    count = np.arange(total + 1, dtype=np.float64)
    if estimator == "biased":
        with np.errstate(divide="ignore"):
            reached: Floats = -np.expm1(n * np.log1p(-count / total))
        return reached
    ratios = np.maximum(total - count[:-1] - n, 0) / (total - count[:-1])
    missed: Floats = np.concatenate(([1.0], np.cumprod(ratios)))
    return 1 - missed
