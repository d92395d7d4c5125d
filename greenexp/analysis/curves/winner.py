"""The expected test score of the configuration that wins on dev, which is what a search reports in the end.

Of n configurations, the one with the best dev score is taken, and its test score looked up. With w_i the probability
that the i-th best on dev is the best of n (`tuning_curve.maximum_weights`), and t_(i) its test score, the concomitant,

    E[test score of the winner of n] = sum_i w_i t_(i).

Configurations that are equal on dev (up to rounding) share the sum of their weights evenly, as if the winner were drawn
from among them.
The curve need not rise: where dev scores select noise, it flattens below the best test score, or falls.

Assumptions: configurations are independent draws; none was trained on what dev and test were scored on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from greenexp.analysis.curves.tuning_curve import Estimator, maximum_weights, named
from greenexp.analysis.numbers.rounding import tied
from greenexp.records.arrays import Floats


def expected_test_of_winner(
    dev: ArrayLike,
    test: ArrayLike,
    budgets: ArrayLike,
    estimator: Estimator = "unbiased",
    minimize: bool = False,
) -> Floats:
    """Expected test score of the best on dev of n configurations, for each n in `budgets`.

    dev, test: [N], finite, of the same configurations in the same order; budgets: whole numbers from 1 to N, any shape;
    minimize: the best on dev is the smallest; estimator: `unbiased` draws without replacement, `biased` with.
    Result: the shape of `budgets`, in the unit of `test`; at n = N unbiased, the test score of the best on dev.
    Raises ValueError for anything else: test scores of the dev winners alone do not suffice.
    """
    looks, ends = (np.asarray(values, dtype=np.float64) for values in (dev, test))
    if looks.ndim != 1 or looks.size == 0 or looks.shape != ends.shape:
        raise ValueError(f"dev and test must be two lists of one length, received {looks.shape} and {ends.shape}")
    if not (np.isfinite(looks).all() and np.isfinite(ends).all()):
        raise ValueError("dev and test scores must be finite: every configuration needs both")
    kind, sizes = named(estimator), np.asarray(budgets, dtype=np.float64)
    if not ((sizes >= 1) & (sizes <= looks.size) & (sizes == np.floor(sizes))).all():
        raise ValueError(f"budgets must be whole numbers from 1 to {looks.size}, the number of configurations")
    looks = tied(looks)[0]
    place = np.unique(looks if minimize else -looks, return_inverse=True)[1]  # 0 for the best on dev
    count = np.bincount(place)
    mean_test = np.bincount(place, weights=ends) / count
    group = np.sort(place)
    unique, back = np.unique(sizes, return_inverse=True)
    curve = np.empty(unique.size)
    for k, n in enumerate(unique):
        weights = maximum_weights(looks.size, int(n), kind)
        shares = np.bincount(group[: weights.size], weights=weights, minlength=count.size)
        # Relative to the winner of all, so that a certain winner comes out exactly.
        curve[k] = mean_test[0] - shares @ (mean_test[0] - mean_test)
    return curve[back].reshape(sizes.shape)
