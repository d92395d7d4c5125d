"""Confidence intervals of one mean: of a share of examples, and of the scores of seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95


def wilson_interval(share: float, examples: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a proportion: E. B. Wilson (1927), JASA 22, 209-212, eq. 4.

    With z the normal quantile of (1 + confidence) / 2, (p + z² / 2n ± z sqrt(p (1 - p) / n + z² / 4n²)) / (1 + z² / n).
    share: p, in [0, 1], also a mean of several shares of the same n examples, whose variance over examples is at most
    p (1 - p) / n; examples: n. NaN for n = 0 or a p that is no share.
    """
    if examples < 1 or not 0 <= share <= 1:
        return math.nan, math.nan
    z = float(stats.norm.ppf((1 + confidence) / 2))
    middle = share + z * z / (2 * examples)
    reach = z * math.sqrt(share * (1 - share) / examples + (z / (2 * examples)) ** 2)
    whole = 1 + z * z / examples
    return (middle - reach) / whole, (middle + reach) / whole


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Student's t interval of a mean: mean ± t(n - 1) s / sqrt(n), s with n - 1. NaN for fewer than two values.

    Assumes independent, about normal values. values: [n], in any unit; the result has the same.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size < 2:
        return math.nan, math.nan
    error = float(numbers.std(ddof=1)) / math.sqrt(numbers.size)
    reach = float(stats.t.ppf((1 + confidence) / 2, numbers.size - 1)) * error
    return float(numbers.mean()) - reach, float(numbers.mean()) + reach
