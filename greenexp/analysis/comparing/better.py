"""Is A better than B when each may try a given number of configurations? Exactly, from the scores of two searches.

With w^A_i the probability that a's i-th score is the best of n_a draws (`tuning_curve.maximum_weights`), and w^B_j
likewise,

    P(A > B) = sum_i sum_j w^A_i w^B_j (1[a_i > b_j] + 1/2 1[a_i = b_j]).

Assumptions: each search draws its configurations independently from its own distribution, and the two searches do not
know of each other. The probability is over what the two searches would find; that the scores at hand are themselves a
sample is not in it: `analysis.curves.curve_bands` says how far the curves are known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from greenexp.analysis.curves.tuning_curve import Estimator, maximum_weights, named
from greenexp.analysis.numbers.rounding import tied
from greenexp.records.arrays import Floats


def probability_better(
    a: ArrayLike,
    b: ArrayLike,
    n_a: int,
    n_b: int | None = None,
    estimator: Estimator = "unbiased",
    minimize: bool = False,
) -> float:
    """P(best of `n_a` draws of A is better than best of `n_b` draws of B), a tie counting half.

    Scores that differ by rounding alone tie.
    a: [N_a], b: [N_b], finite scores; n_a, n_b: from 1 to N_a and N_b (n_b None: n_a); estimator: `unbiased` draws
    without replacement, `biased` with. minimize: smaller is better. Exact, O(N log N).
    P(A > B) + P(B > A) = 1. Raises ValueError as `tuning_curve` does.
    """
    kind = named(estimator)
    ours, theirs = (_descending(scores, minimize) for scores in tied(a, b))
    best_a = _weights(ours, n_a, kind, "a")
    best_b = _weights(theirs, n_a if n_b is None else n_b, kind, "b")
    # theirs is descending, so the scores not above a_i are those from a place on.
    from_place = np.concatenate((np.cumsum(best_b[::-1])[::-1], [0.0]))
    upto = np.searchsorted(-theirs, -ours, side="left"), np.searchsorted(-theirs, -ours, side="right")
    at_most, below = (from_place[np.minimum(place, best_b.size)] for place in upto)
    return float(np.clip(best_a @ ((at_most + below) / 2)[: best_a.size], 0.0, 1.0))


def _descending(scores: ArrayLike, minimize: bool) -> Floats:
    values = np.asarray(scores, dtype=np.float64) * (-1.0 if minimize else 1.0)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("scores must be a list of at least one number, all of them finite")
    return np.sort(values)[::-1]


def _weights(scores: Floats, n: int, estimator: Estimator, name: str) -> Floats:
    number = isinstance(n, int | float | np.integer | np.floating)
    if not number or not 1 <= n <= scores.size or int(n) != n:
        raise ValueError(f"n_{name} is {n!r}: a whole number from 1 to {scores.size}, the scores of {name}")
    return maximum_weights(scores.size, int(n), estimator)
