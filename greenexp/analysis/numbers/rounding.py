"""Equality up to rounding: one tolerance for scores, one for costs, one for probabilities, all of them here.

A score is a mean of hundreds of answers, so two configurations can easily have the same one. As floating-point numbers
such scores then differ by some 1e-16: 0.1 + 0.2 is not 0.3, and the mean of three seeds depends on their order. Left
alone, such a difference decides who is better, and where all differences are such, a t test finds the smallest p-value
of all where nothing is known of the noise. Even the standard deviation of three equal numbers need not come out as 0.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from greenexp.records.arrays import Floats

ROUNDING = 1e-10
"""Of scores, relative to them: far above what sums lose, far below what one answer in a billion is worth."""
COST_ROUNDING = 1e-9
"""Of costs, budgets and speed-ups, relative: sums of a million costs lose less, and nobody states nine digits."""
SHARE_ROUNDING = 1e-12
"""Of probabilities and shares, which are sums of positive terms up to 1: of some thousand terms, they lose less."""

Amounts = TypeVar("Amounts", float, Floats)


def tied(*scores: ArrayLike, size: float = 0.0) -> tuple[Floats, ...]:
    """The lists of scores, with scores that differ by rounding alone made equal, within a list and between lists.

    size: that of other numbers the scores were calculated from, as of the scores for their differences. Sorted by size,
    neighbours are equal if they are closer than ROUNDING times the greatest of their own size, the median size and
    `size`; the median, so that a run that diverged does not make the others equal. Of equal ones, the smallest stands
    for all; what is 0 but for rounding is 0. NaN and infinite scores stay as they are.
    """
    lists = [np.asarray(values, dtype=np.float64) for values in scores]
    every = np.concatenate([values.ravel() for values in lists])
    finite = np.isfinite(every)
    sizes = np.concatenate(([0.0], np.abs(every[finite])))
    order = np.argsort(sizes, kind="stable")
    ascending = sizes[order]
    apart = np.diff(ascending, prepend=-np.inf) > ROUNDING * np.maximum(ascending, max(size, size_of(every)))
    stand_in = np.empty_like(sizes)
    stand_in[order] = ascending[np.maximum.accumulate(np.where(apart, np.arange(sizes.size), 0))]
    every[finite] = np.copysign(stand_in[1:], every[finite]) + 0.0  # + 0.0: no -0.0
    return tuple(
        part.reshape(values.shape)
        for part, values in zip(np.split(every, np.cumsum([values.size for values in lists])[:-1]), lists, strict=True)
    )


def difference(a: ArrayLike, b: ArrayLike) -> Floats:
    """A - b, elementwise, and exactly 0 where the two scores differ by rounding alone. NaN and infinities as usual."""
    ours, theirs = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf
        apart: Floats = np.asarray(ours - theirs)
    slack = ROUNDING * np.maximum(np.maximum(np.abs(ours), np.abs(theirs)), size_of(ours, theirs))
    return np.where(np.isfinite(apart) & (np.abs(apart) <= slack), 0.0, apart)


def at_least_as_good(scores: ArrayLike, target: float, minimize: bool = False) -> NDArray[np.bool_]:
    """Which scores reach `target`, or miss it by rounding alone; minimize: smaller is better. NaN reaches nothing."""
    values = np.asarray(scores, dtype=np.float64)
    slack = ROUNDING * max(abs(target), size_of(values))
    reached = values <= target + slack if minimize else values >= target - slack
    return np.asarray(reached & ~np.isnan(values))


def rounding_of(*scores: ArrayLike) -> float:
    """By how much numbers calculated from these scores may differ through rounding: ROUNDING times the largest size.

    Scores that are NaN are left out.
    """
    return ROUNDING * float(np.fmax.reduce(_sizes(scores), initial=0.0))


def unless_rounding(deviation: float, *scores: ArrayLike) -> float:
    """`deviation`, a standard deviation in the unit of `scores`, or 0.0 where it is no more than their rounding.

    NaN stays NaN, and scores that are NaN are left out.
    """
    return 0.0 if deviation <= rounding_of(*scores) else deviation


def size_of(*scores: ArrayLike) -> float:
    """The median size of those of the scores that are finite; 0.0 if there are none."""
    sizes = _sizes(scores)
    finite = sizes[np.isfinite(sizes)]
    return float(np.median(finite)) if finite.size else 0.0


def raised(limits: Amounts) -> Amounts:
    """What a sum of costs may come to and still be within `limits`; likewise, a speed-up that must reach a target."""
    return limits * (1 + COST_ROUNDING)


def lowered(levels: Amounts) -> Amounts:
    """What a sum of probabilities must come to, to have reached `levels`."""
    return levels * (1 - SHARE_ROUNDING)


def _sizes(scores: tuple[ArrayLike, ...]) -> Floats:
    return np.concatenate([np.abs(np.asarray(values, dtype=np.float64)).ravel() for values in scores])
