"""Whether scores vary at all, or only in the last digits of their sums.

A score is a mean of hundreds of answers, so two seeds of two methods can easily differ by the same amount. As
floating-point numbers these differences then vary by some 1e-16, and a t test would find the smallest p-value of all
where nothing is known of the noise. Even the standard deviation of three equal numbers need not come out as 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-10
"""Relative to the largest score: far above what sums lose, far below what one answer in a billion is worth."""


def unless_rounding(deviation: float, *scores: ArrayLike) -> float:
    """`deviation`, a standard deviation in the unit of `scores`, or 0.0 where it is no more than their rounding.

    NaN stays NaN, and scores that are NaN are left out.
    """
    return 0.0 if deviation <= _step(scores) else deviation


def in_steps(values: ArrayLike, *scores: ArrayLike) -> NDArray[np.float64]:
    """`values`, in the unit of `scores`, in whole steps of their rounding: for ranks and signs, in which ties count."""
    step = _step(scores)
    given = np.asarray(values, dtype=np.float64)
    return np.round(given / step) if step > 0 else given


def _step(scores: tuple[ArrayLike, ...]) -> float:
    sizes = (np.abs(np.asarray(values, dtype=np.float64)).ravel() for values in scores)
    return ROUNDING * max(float(np.fmax.reduce(found, initial=0.0)) for found in sizes)
