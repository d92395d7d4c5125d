"""Start many, look once, go on with some: the distribution of the best score, exactly.

t trials are started, drawn with replacement from N recorded runs that were all trained to their end. Looked at once,
the k best by their partial score go on to their final score, and the others are stopped. Let the runs be in falling
order of partial score, and call a run good if its final score is at most y. The best of those that went on is at most y
if every draw is good, or if the first bad draw, j, is not among the k best, that is if at least k good draws are above:

    P(best <= y) = (g/N)^t + sum_{bad j} sum_{a=k}^{t-1} C(t, a) (G_j/N)^a [((L_j + 1)/N)^(t-a) - (L_j/N)^(t-a)]

with g good runs in all, G_j good ones above j and L_j runs below j; the sum over a is a difference of two binomial
tails, (p + r)^t P(Bin(t, p / (p + r)) >= k) at p = G_j/N and r = (L_j + 1)/N, L_j/N. This is what "start many, stop
early, continue some" (Dodge et al. 2020, "Fine-Tuning Pretrained Language Models", section 5) estimates by 50,000
bootstrap draws.

Assumptions: runs are independent draws from one distribution; a partial score is never better than the best a run of
higher rank ends with, which holds where scores are running maxima, so that the best of all is among those that go on.
Ties in the partial score are broken by the order in which the runs are given.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from greenexp.records.arrays import Floats


def early_stopping_cdf(
    partial: ArrayLike, final: ArrayLike, started: int, continued: int, minimize: bool = False
) -> pd.DataFrame:
    """The distribution of the best final score when `started` trials are begun and the best `continued` go on.

    partial, final: [N], finite, of the same runs in the same order; 1 <= continued <= started; minimize: smaller is
    better. One row per distinct final score, from the worst to the best: score; cdf, the probability that the best is
    not better than that; probability, that it is exactly that. The expected best is sum(score x probability).
    Exact, O(N^2). Raises ValueError for anything else.
    """
    sign = -1.0 if minimize else 1.0
    looks, ends = (np.asarray(values, dtype=np.float64) * sign for values in (partial, final))
    if looks.ndim != 1 or looks.shape != ends.shape or looks.size == 0:
        raise ValueError(f"partial and final must be two lists of one length, received {looks.shape} and {ends.shape}")
    if not (np.isfinite(looks).all() and np.isfinite(ends).all()):
        raise ValueError("partial and final scores must be finite")
    if not _whole(started) or not _whole(continued) or not 1 <= continued <= started:
        raise ValueError(
            f"of {started} started trials, {continued} cannot go on: two whole numbers, 1 <= continued <= started"
        )
    ranked = ends[np.argsort(-looks, kind="stable")]
    scores = np.unique(ends)
    cdf = np.array([_at_most(ranked <= score, int(started), int(continued)) for score in scores])
    cdf = np.clip(np.maximum.accumulate(cdf), 0.0, 1.0)
    return pd.DataFrame({"score": sign * scores, "cdf": cdf, "probability": np.diff(cdf, prepend=0.0)})


def _at_most(good: NDArray[np.bool_], started: int, continued: int) -> float:
    """P(no bad run among those that go on); good: [N], in falling order of partial score."""
    total = good.size
    probability = (good.sum() / total) ** started
    bad = np.flatnonzero(~good)
    if bad.size and continued < started:
        above = np.cumsum(good)[bad] / total  # a share: good ones before each bad one
        below = (total - 1.0 - bad) / total
        with_bad = _enough_good(above, below + 1 / total, started, continued)
        probability += float((with_bad - _enough_good(above, below, started, continued)).sum())
    return float(probability)


def _enough_good(good: Floats, rest: Floats, started: int, continued: int) -> Floats:
    """P(every draw is one of the good or of the rest, and at least `continued` are good), each a share of the runs."""
    either = good + rest
    share = np.divide(good, either, out=np.zeros_like(either), where=either > 0)
    tail = special.betainc(continued, started - continued + 1, share)  # of the binomial distribution
    return np.asarray(either**started * tail, dtype=np.float64)


def _whole(number: float) -> bool:
    return isinstance(number, int | float | np.integer | np.floating) and np.isfinite(number) and number == int(number)
