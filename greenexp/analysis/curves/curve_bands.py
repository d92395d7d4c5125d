"""Confidence bands of tuning curves, from a band of the scores' distribution (`analysis.curves.bands`)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.curves.bands import NO_SUPPORT, ConfidenceBand, Method, confidence_band
from greenexp.analysis.numbers.rounding import SHARE_ROUNDING
from greenexp.records.arrays import Floats

CURVE_COLUMNS = ("budget", "lower", "upper", "trivial")


def tuning_curve_band(
    scores: ArrayLike,
    budgets: ArrayLike,
    confidence: float = 0.95,
    estimator: str | float = "median",
    method: Method = "equal_local_levels",
    support: tuple[float, float] = NO_SUPPORT,
    minimize: bool = False,
) -> pd.DataFrame:
    """Bounds of the tuning curve that hold at all budgets together with probability `confidence`.

    estimator: `median`, a number q for the q-quantile of the best of n, or `mean` for its expectation, which needs a
    finite support, as nothing else bounds a mean. budgets: [B], n >= 1, also beyond the number of scores: the band then
    says how little is known. Columns: budget; lower, upper, in the scores' unit; trivial: whether a bound is no more
    than the end of the support. Raises ValueError as `confidence_band` does.
    """
    sizes = np.asarray(budgets, dtype=np.float64)
    if sizes.ndim != 1 or not (np.isfinite(sizes) & (sizes >= 1)).all():
        raise ValueError("budgets must be a list of numbers of draws, each at least 1")
    sign = -1.0 if minimize else 1.0
    least, most = sorted((sign * support[0], sign * support[1]))
    band = confidence_band(sign * np.asarray(scores, dtype=np.float64), confidence, method, (least, most))
    if estimator == "mean":
        low, high = _mean_bounds(band, sizes)
    else:
        # Of the negated scores the best is the largest again, and its q-quantile minus its (1 - q)-quantile.
        level = _level(estimator)
        low, high = band.quantile((1 - level if minimize else level) ** (1 / sizes))
    trivial = (low <= least) | (high >= most)
    if minimize:
        low, high = -high, -low
    return pd.DataFrame(dict(zip(CURVE_COLUMNS, (np.asarray(budgets), low, high, trivial), strict=True)))


def trivial_above(band: ConfidenceBand, level: float = 0.5) -> float:
    """The largest budget n at which the upper bound of a quantile of the best of n is below the support's end.

    level: of the quantile. level^(1/n) <= lower_N, so n <= ln(level) / ln(lower_N): beyond, the band says nothing about
    how good n draws can get. 0 if that is so at once.
    """
    top = float(band.lower[-1])
    if top <= 0:
        return 0.0
    return math.floor(math.log(level) / math.log(top) * (1 + SHARE_ROUNDING)) if top < 1 else math.inf


def _level(estimator: str | float) -> float:
    level = 0.5 if estimator == "median" else estimator
    if not isinstance(level, int | float | np.integer | np.floating) or not 0 < level < 1:
        raise ValueError(f"estimator must be mean, median or a number between 0 and 1, received {estimator!r}")
    return float(level)


def _mean_bounds(band: ConfidenceBand, sizes: Floats) -> tuple[Floats, Floats]:
    """B - integral_a^b F^n for the greatest and the least F of the band."""
    least, most = band.support
    if not math.isfinite(least) or not math.isfinite(most):
        raise ValueError("a band of the mean needs a finite support: say what the smallest and largest score can be")
    lengths = np.diff(np.concatenate(([least], band.scores, [most])))
    low, high = (np.array([most - lengths @ side**n for n in sizes]) for side in (band.upper, band.lower))
    return low, high
