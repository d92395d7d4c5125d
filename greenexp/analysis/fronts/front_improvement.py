"""How much front A improves on front B, if it does, against the seeds' noise.

Each seed of a method gives a front of its own. Three measures of a pair of fronts, for columns to be minimised:

    hypervolume difference   area A's front dominates up to the reference, minus B's: above 0 if A is better on balance
    covered                  share of the points of B's front that are at least equalled by a point of A's
    shift                    I(A, B) = max_{b in B} min_{a in A} max_c (a_c - b_c) / scale_c, the additive epsilon
                             indicator (Zitzler et al. 2003): the least that must be taken off every column of A for it
                             to cover B; at most 0 if and only if covered = 1

A *Pareto-improves* on B if A covers B and B does not cover A. The hypervolume cannot decide that: it can rise while a
part of the front gets worse. A higher hypervolume than B's is necessary, and depends on the reference.

With paired seeds the k-th front of A is compared with the k-th of B; without, each front of A with each of B. The
uncertainty is over seeds: mean hypervolume difference with a t interval (Welch's if unpaired) and the p-value of the
exact sign-flip or permutation test. No bootstrap: over the 3 to 10 seeds there are, its percentile intervals are too
narrow.

At equal cost: of each seed the best score at cost at most x (a staircase: only points that exist), and the difference
of the seeds' means at each x. Its intervals hold at each x by itself.

Assumptions: independent seeds, or independent pairs of seeds; the mean differences are nearly normal, for the
intervals. Rows with a NaN are left out; copies of a point count once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.comparing.score_tests import score_difference, score_tests
from greenexp.analysis.fronts.pareto import Directions, as_costs, hypervolume, pareto_front
from greenexp.records.arrays import Floats

Fronts = Mapping[Hashable, ArrayLike]
PAIRS = (
    "seed_a", "seed_b", "hypervolume_a", "hypervolume_b", "difference", "covered", "covered_reverse", "shift",
    "shift_reverse",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ParetoImprovement:
    """How front A compares with front B; see the module.

    pairs: a row per pair of seeds: seed_a, seed_b, hypervolume_a, hypervolume_b, difference, covered (share of B's
        front that A covers), covered_reverse, shift, shift_reverse, improves
    difference, lower, upper: mean over seeds of the hypervolume difference, and its t interval; p: see `test`
    covered, covered_reverse, improves, improves_reverse: means over pairs; the last two are shares of pairs
    least_p: smallest p-value these numbers of seeds can give
    """

    pairs: pd.DataFrame
    difference: float
    lower: float
    upper: float
    p: float
    least_p: float
    test: str
    covered: float
    covered_reverse: float
    improves: float
    improves_reverse: float
    confidence: float


def pareto_improvement(
    a: Fronts,
    b: Fronts,
    reference: ArrayLike,
    rng: np.random.Generator,
    directions: Directions = "min",
    paired: bool = False,
    scale: ArrayLike | None = None,
    confidence: float = 0.95,
) -> ParetoImprovement:
    """Compare the fronts of A with those of B; see the module.

    a, b: seed -> its points, [R, d]; paired: both have the same seeds; at least 2 seeds each. reference: [d], the worst
    corner, chosen without looking at the result (cost of the full model, score of guessing); scale: [d], above 0, the
    unit of `shift` in each column (None: 1). Hypervolumes as `hypervolume`. Raises ValueError for anything else, and
    for a seed without a complete point.
    """
    _check_seeds(a, b, paired)
    ours, theirs = ({seed: _front(rows, directions, seed) for seed, rows in side.items()} for side in (a, b))
    width = next(iter(ours.values())).shape[1]
    unit = np.ones(width) if scale is None else np.asarray(scale, dtype=np.float64)
    if unit.shape != (width,) or not ((unit > 0) & np.isfinite(unit)).all():
        raise ValueError(f"the scale must be {width} finite numbers above 0")
    corner = as_costs(np.asarray(reference, dtype=np.float64).reshape(1, -1), directions)[0]
    volume_a, volume_b = ({s: hypervolume(f, corner) for s, f in side.items()} for side in (ours, theirs))
    seeds = [(s, s) for s in ours] if paired else [(s, t) for s in ours for t in theirs]
    rows = [
        (s, t, volume_a[s], volume_b[t], volume_a[s] - volume_b[t], *_compared(ours[s], theirs[t], unit))
        for s, t in seeds
    ]
    pairs = pd.DataFrame(rows, columns=list(PAIRS))
    full, reverse = pairs["covered"] == 1, pairs["covered_reverse"] == 1
    values = [volume_a[s] for s in ours], [volume_b[s] for s in (ours if paired else theirs)]
    found = score_difference(*values, paired, confidence)
    test = "sign_flip" if paired else "permutation"
    tested = score_tests(*values, rng, paired).set_index("test")
    return ParetoImprovement(
        pairs=pairs.assign(improves=full & ~reverse),
        difference=found.mean,
        lower=found.lower,
        upper=found.upper,
        p=float(tested["p"][test]),
        least_p=float(tested["least_p"][test]),
        test=f"{test}, {tested['method'][test]}",
        covered=float(pairs["covered"].mean()),
        covered_reverse=float(pairs["covered_reverse"].mean()),
        improves=float((full & ~reverse).mean()),
        improves_reverse=float((reverse & ~full).mean()),
        confidence=confidence,
    )


def score_at_equal_cost(
    a: Fronts,
    b: Fronts,
    costs: Sequence[float],
    rng: np.random.Generator,
    paired: bool = False,
    minimize: bool = False,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The best score at cost at most x, A minus B, at each x of `costs`.

    a, b: seed -> its operating points, [R, 2]: cost, score; paired: both have the same seeds; minimize: of the score. A
    row per cost: cost, seeds_a, seeds_b (that have a point so cheap), score_a, score_b (means over seeds), difference,
    lower, upper (t interval, at this cost alone), p (sign-flip or permutation), p_holm (over all costs). Where a seed
    of a method has no point so cheap, its mean and what follows are NaN: the mean of those that have is a selection.
    """
    _check_seeds(a, b, paired)
    if not len(costs) or np.isnan(np.asarray(costs, dtype=np.float64)).any():
        raise ValueError("at least one cost is needed, and each must be a number")
    grid = np.asarray(costs, dtype=np.float64)
    best_a = np.array([_best_within(a[seed], grid, minimize) for seed in a])
    best_b = np.array([_best_within(b[seed], grid, minimize) for seed in (a if paired else b)])
    test = "sign_flip" if paired else "permutation"
    rows = []
    for k, cost in enumerate(grid):
        ours, theirs = best_a[:, k], best_b[:, k]
        counts = int((~np.isnan(ours)).sum()), int((~np.isnan(theirs)).sum())
        facts = [math.nan] * 4
        if counts == (ours.size, theirs.size):
            found = score_difference(ours, theirs, paired, confidence)
            p = float(score_tests(ours, theirs, rng, paired).set_index("test")["p"][test])
            facts = [found.mean, found.lower, found.upper, p]
        rows.append((cost, *counts, float(ours.mean()), float(theirs.mean()), *facts))
    names = ["cost", "seeds_a", "seeds_b", "score_a", "score_b", "difference", "lower", "upper", "p"]
    table = pd.DataFrame(rows, columns=names)
    known = table["p"].notna()
    table["p_holm"] = math.nan
    table.loc[known, "p_holm"] = holm(table.loc[known, "p"].to_numpy())
    return table


def _check_seeds(a: Fronts, b: Fronts, paired: bool) -> None:
    if paired and set(a) != set(b):
        odd = sorted(str(seed) for seed in set(a) ^ set(b))
        raise ValueError(f"paired fronts need the same seeds; only one method has {', '.join(odd[:5])}")
    if min(len(a), len(b)) < 2:
        raise ValueError("the uncertainty over seeds needs at least two seeds of each method")


def _front(points: ArrayLike, directions: Directions, seed: Hashable) -> Floats:
    """The distinct points of the front, as costs."""
    costs = as_costs(points, directions)
    front = costs[pareto_front(costs)]
    if not len(front) or not np.isfinite(front).all():
        raise ValueError(f"seed {seed} has no complete point, or an infinite one")
    return np.unique(front, axis=0)


def _compared(a: Floats, b: Floats, unit: Floats) -> tuple[float, float, float, float]:
    """covered, covered_reverse, shift, shift_reverse."""
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"all points must have as many columns, received {a.shape[1]} and {b.shape[1]}")
    found = []
    for ours, theirs in ((a, b), (b, a)):
        gaps = ((ours[:, None] - theirs[None]) / unit).max(axis=2)  # how far ours misses covering theirs
        found.append((float((gaps.min(axis=0) <= 0).mean()), float(gaps.min(axis=0).max())))
    return found[0][0], found[1][0], found[0][1], found[1][1]


def _best_within(points: ArrayLike, grid: Floats, minimize: bool) -> Floats:
    """Of each cost of `grid`, the best score of the points that cost no more; NaN if there is none."""
    table = np.asarray(points, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 2:
        raise ValueError(f"operating points must be [rows, 2], received shape {table.shape}")
    table = table[~np.isnan(table).any(axis=1)]
    table = table[np.argsort(table[:, 0], kind="stable")]
    accumulate = np.minimum.accumulate if minimize else np.maximum.accumulate
    best = np.concatenate(([math.nan], accumulate(table[:, 1]) if len(table) else []))
    return np.asarray(best[np.searchsorted(table[:, 0], grid, side="right")], dtype=np.float64)
