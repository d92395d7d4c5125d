"""Best score of n configurations drawn independently, in expectation or at a quantile: tuning curves, also called EVP.

With the N observed scores sorted, y_(1) <= ... <= y_(N), the expected maximum of n draws is estimated by a weighted sum
of them, sum_i w_i y_(i). Two sets of weights are in use:

    biased    V(n): w_i = (i/N)^n - ((i-1)/N)^n             n draws with replacement
              (Dodge et al. 2019, "Show Your Work", section 3.2)
    unbiased  U(n): w_i = C(i-1, n-1) / C(N, n)             n draws without replacement
              (Tang et al. 2020, "Showing Your Work Doesn't Always Work", section 3)

A quantile of the best of n draws, the median by default, is more telling than a mean where the scores are skewed. With
F the empirical distribution, the best of n has distribution F^n (1 - (1 - F)^n for the smallest), so its q-quantile is
F^-1(q^(1/n)), F^-1(p) being the smallest observed score at or below which there is a share of at least p
(Lourie et al. 2024, "Show Your Work with Confidence", section 3). It is always one of the observed scores.

Binomials overflow for N in the thousands, so the weights of U come from w_N = n/N, w_{i-1} = w_i (i-n)/(i-1), and those
of V from logarithms. Weights far below the top, together less than 1e-20, are left out.

Assumptions: the scores are independent draws from one distribution, as a random search over configurations makes them,
and each is the full score of its configuration. Scores of trials stopped early are not (see `analysis.curves.evp`).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from greenexp.analysis.numbers.rounding import lowered
from greenexp.errors import did_you_mean
from greenexp.records.arrays import Floats

Estimator = Literal["unbiased", "biased"]
ESTIMATORS: tuple[Estimator, ...] = ("unbiased", "biased")
MEDIAN = "median"

_NEGLIGIBLE = -math.log(1e-20)


def tuning_curve(
    scores: ArrayLike, budgets: ArrayLike, estimator: Estimator | str | float = "unbiased", minimize: bool = False
) -> Floats:
    """Best of n scores, for each n in `budgets`: its expectation, its median or another quantile.

    scores: [N], finite; budgets: whole numbers from 1 to N, any shape; result: the shape of `budgets`, in the scores'
    unit. estimator: `unbiased`, `biased`, `median`, or a number q in (0, 1) for the q-quantile of the best of n.
    minimize: the best is the smallest. Error below 1e-12 of the scores' range; U(N) is exactly the best score.
    Raises ValueError for a NaN or infinite score, for no scores, and for a budget beyond N, for either estimator: U is
    undefined there, and V merely creeps up to the best score seen, which says nothing about more draws.
    """
    level = quantile_level(estimator)
    if level is not None:
        return _quantile_curve(scores, budgets, level, minimize)
    ordered, sizes, sign = _checked(scores, budgets, str(estimator), minimize)
    gaps = ordered[0] - ordered
    unique, place = np.unique(sizes, return_inverse=True)
    curve = np.empty(unique.size)
    for k, n in enumerate(unique):
        weights = maximum_weights(ordered.size, int(n), named(estimator))
        curve[k] = ordered[0] - weights @ gaps[: weights.size]
    return sign * curve[place].reshape(sizes.shape)


def tuning_curve_std(
    scores: ArrayLike, budgets: ArrayLike, estimator: Estimator = "unbiased", minimize: bool = False
) -> Floats:
    """Standard deviation of the best of n scores: sqrt(sum_i w_i (y_(i) - mean)^2), the mean being the tuning curve.

    It says how much the best of n draws varies from search to search; it is neither a standard error nor a confidence
    interval of the curve. (The reference implementation of V calls this quantity a variance.)
    Arguments, shapes and errors as in `tuning_curve`; result >= 0, in the scores' unit.
    """
    ordered, sizes, _ = _checked(scores, budgets, estimator, minimize)
    gaps = ordered[0] - ordered
    unique, place = np.unique(sizes, return_inverse=True)
    spread = np.empty(unique.size)
    for k, n in enumerate(unique):
        weights = maximum_weights(ordered.size, int(n), estimator)
        near = gaps[: weights.size]
        spread[k] = math.sqrt(weights @ (near - weights @ near) ** 2)
    return spread[place].reshape(sizes.shape)


def tuning_curve_error(scores: ArrayLike, budgets: ArrayLike, minimize: bool = False) -> Floats:
    """Standard error of the unbiased curve at each n < N, by the jackknife: sqrt((N-1)/N sum_j (U_-j(n) - mean)^2).

    U_-j is the curve without score j (Efron & Stein 1981: upwards biased, as a variance). It says how uncertain the
    estimate of the expected best is, and not how much the best of n draws varies (`tuning_curve_std`). It is a standard
    error, and no interval: near n = N the estimate is far from normal (`analysis.curves.curve_bands` has intervals).
    NaN at n = N, where U_-j does not exist. Arguments, shapes and errors as in `tuning_curve`. O(N) for each n.
    """
    ordered, sizes, _ = _checked(scores, budgets, "unbiased", minimize)
    total = ordered.size
    unique, place = np.unique(sizes, return_inverse=True)
    errors = np.full(unique.size, np.nan)
    for k, n in enumerate(unique):
        if n < total:
            left_out = _without_each(ordered, maximum_weights(total - 1, int(n)))
            errors[k] = math.sqrt((total - 1) * float(np.var(left_out)))
    return errors[place].reshape(sizes.shape)


def _without_each(ordered: Floats, weights: Floats) -> Floats:
    """sum_i w_i y_(i) over the other scores, for each left-out score; ordered: best first; weights: of N - 1 scores."""
    gaps = ordered[0] - ordered
    kept = weights.size
    # Without score j, those before it keep their weight and those after it get that of the place before.
    before = np.concatenate(([0.0], np.cumsum(weights * gaps[:kept])))
    after = np.concatenate(([0.0], np.cumsum(weights * gaps[1 : kept + 1])))
    place = np.minimum(np.arange(ordered.size), kept)
    loss: Floats = before[place] + after[kept] - after[place]
    curves: Floats = ordered[0] - loss
    return curves


def quantile_level(estimator: str | float) -> float | None:
    """The quantile an estimator stands for, or None if it is an expectation. ValueError for a number outside (0, 1)."""
    if isinstance(estimator, str):
        return 0.5 if estimator == MEDIAN else None
    if not isinstance(estimator, int | float | np.integer | np.floating):
        raise ValueError(f"an estimator is a name or a number between 0 and 1, received {estimator!r}")
    level = float(estimator)
    if not 0 < level < 1:
        raise ValueError(f"a quantile must lie between 0 and 1, received {estimator}")
    return level


def named(estimator: str | float) -> Estimator:
    """The estimator of an expectation by name; ValueError for anything else."""
    for known in ESTIMATORS:
        if estimator == known:
            return known
    names = (*ESTIMATORS, MEDIAN)
    near = did_you_mean(str(estimator), names)
    raise ValueError(f"unknown estimator '{estimator}'{near} (known: {', '.join(names)}, or a number between 0 and 1)")


def _quantile_curve(scores: ArrayLike, budgets: ArrayLike, level: float, minimize: bool) -> Floats:
    ordered, sizes, sign = _checked(scores, budgets, "unbiased", minimize)
    ascending = np.sort(sign * ordered)
    shares = np.arange(1, ascending.size + 1) / ascending.size
    wanted = 1 - (1 - level) ** (1 / sizes) if minimize else level ** (1 / sizes)
    # Guard: 1 - (1 - 0.3) is 0.30000000000000004, above the share of 3 in 10.
    curve: Floats = ascending[np.minimum(np.searchsorted(shares, lowered(wanted)), ascending.size - 1)]
    return curve


def maximum_weights(total: int, n: int, estimator: Estimator = "unbiased") -> Floats:
    """Weights of the largest, second largest, ... of `total` scores in the expected maximum of `n` draws.

    Shape [k], k <= total: the smallest scores, which together weigh less than 1e-20, are left out.
    """
    kept = _reach(total, n, estimator)
    below = np.arange(kept, dtype=np.float64)  # how many scores are larger; the rank i is total - below
    if estimator == "biased":
        rank = total - below
        power = np.exp(n * np.log1p(-below / total))
        with np.errstate(divide="ignore"):  # rank 1: log(0) = -inf, whose expm1 is -1, as it should be
            differences: Floats = -power * np.expm1(n * np.log1p(-1.0 / rank))
        return differences
    ratios = np.empty(kept)
    ratios[0] = n / total
    ratios[1:] = (total - below[:-1] - n) / (total - below[:-1] - 1)
    weights: Floats = np.cumprod(ratios, dtype=np.float64)
    return weights


def _reach(total: int, n: int, estimator: Estimator) -> int:
    """How many scores from the top matter: P(maximum below the i-th score) <= (i/N)^n for both estimators."""
    by_size = math.ceil(-total * math.expm1(-_NEGLIGIBLE / n)) + 1
    most = total if estimator == "biased" else total - n + 1
    return min(by_size, most)


def _checked(
    scores: ArrayLike, budgets: ArrayLike, estimator: str, minimize: bool
) -> tuple[Floats, NDArray[np.int64], float]:
    """Scores sorted with the best first and as maximised, budgets as integers, and the sign that was applied."""
    named(estimator)
    sign = -1.0 if minimize else 1.0
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"scores must be a list of at least one number, received shape {values.shape}")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise ValueError(
            f"{bad.size} of {values.size} scores are NaN or infinite (first at place {bad[0]}: {values[bad[0]]}); a "
            "trial without a score must be left out knowingly, because that changes what the curve is about"
        )
    return np.sort(sign * values)[::-1], _sizes(budgets, values.size), sign


def _sizes(budgets: ArrayLike, total: int) -> NDArray[np.int64]:
    given = np.asarray(budgets)
    if given.dtype == np.bool_ or not np.issubdtype(given.dtype, np.number):
        raise ValueError(f"budgets must be whole numbers, received {given.dtype}")
    if given.size == 0:
        return np.empty(given.shape, dtype=np.int64)
    if np.issubdtype(given.dtype, np.floating) and not np.all(np.isfinite(given) & (given == np.floor(given))):
        raise ValueError("budgets must be whole numbers of draws")
    if given.min() < 1 or given.max() > total:
        raise ValueError(
            f"budgets must lie between 1 and the number of scores, {total}; received {given.min()} to {given.max()}: "
            "nothing is known about more draws than were made"
        )
    return given.astype(np.int64)
