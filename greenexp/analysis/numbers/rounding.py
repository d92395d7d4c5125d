"""Whether scores vary at all, or only in the last digits of their sums.

A score is a mean of hundreds of answers, so two seeds of two methods can easily differ by the same amount. As
floating-point numbers these differences then vary by some 1e-16, and a t test would find the smallest p-value of all
where nothing is known of the noise. Even the standard deviation of three equal numbers need not come out as 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ROUNDING = 1e-10
"""Relative to the scores: far above what sums lose, far below what one answer in a billion is worth."""


def unless_rounding(deviation: float, *scores: ArrayLike) -> float:
    """`deviation`, a standard deviation in the unit of `scores`, or 0.0 where it is no more than their rounding.

    NaN stays NaN, and scores that are NaN are left out.
    """
    largest = float(np.fmax.reduce(_sizes(scores), initial=0.0))
    return 0.0 if deviation <= ROUNDING * largest else deviation


def in_steps(values: ArrayLike, *scores: ArrayLike) -> NDArray[np.float64]:
    """`values`, in the unit of `scores` (finite), in whole steps of their rounding, for ranks and signs: ties count.

    The step is that of a score of middle size, so that a run that diverged does not make the others equal.
    """
    given = np.asarray(values, dtype=np.float64)
    step = ROUNDING * float(np.median(_sizes(scores)))
    return np.round(given / step) if step > 0 else given


def _sizes(scores: tuple[ArrayLike, ...]) -> NDArray[np.float64]:
    return np.concatenate([np.abs(np.asarray(values, dtype=np.float64)).ravel() for values in scores])
