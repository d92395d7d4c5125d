"""Bounds of a tuning curve from scores of which some are only bounds: trials that were stopped early.

The score of a stopped trial is the best it had reached. What full training would have given lies between that and the
end of the scores' support (1 for an accuracy): it is censored, not known. Averages over such values as if they were
scores estimate nothing; leaving those trials out estimates the search among survivors.

A tuning curve is sum_i w_i y_(i) with w_i >= 0, or a quantile of the best of n draws: both are monotone in every single
score. With every censored score y_j in [l_j, u_j], the curve therefore lies between the curve of the l_j and that of
the u_j. Both ends are attained, so without further assumptions nothing narrower is true; with many stopped trials the
interval is wide, which is what is known. No independence of stopping and score is presumed, as survival analysis would:
a scheduler stops trials because of their scores.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.curves.tuning_curve import Estimator, tuning_curve

COLUMNS = ("budget", "lower", "upper")


def tuning_curve_bounds(
    scores: ArrayLike,
    stopped: ArrayLike,
    budgets: ArrayLike,
    support_end: float,
    estimator: Estimator | str | float = "unbiased",
    minimize: bool = False,
) -> pd.DataFrame:
    """The interval in which the tuning curve of the full scores lies, for each n in `budgets`.

    scores: [N], finite: the final score, or the best so far of a stopped trial; stopped: [N] booleans; support_end: the
    best score there can be (the smallest if `minimize`). One row per n: budget, lower, upper, in the scores' unit;
    equal where nothing was stopped. Bounds of the estimate, which has a sampling error besides.
    budgets, estimator, errors: as in `tuning_curve`. Raises ValueError for scores beyond the support's end.
    Assumes that the score of a trial is its best so far, which further training cannot take away.
    """
    values, censored = np.asarray(scores, dtype=np.float64), np.asarray(stopped)
    if censored.dtype != np.bool_ or censored.shape != values.shape:
        raise ValueError(
            f"stopped must be one boolean for each score, received {censored.dtype} of shape {censored.shape}"
        )
    sign = -1.0 if minimize else 1.0
    if not np.isfinite(support_end) or (sign * values > sign * support_end).any():
        raise ValueError(f"no score may be better than the end of the support, {support_end}")
    sizes = np.asarray(budgets).reshape(-1)
    so_far = tuning_curve(values, sizes, estimator, minimize)
    at_best = tuning_curve(np.where(censored, support_end, values), sizes, estimator, minimize)
    lower, upper = (at_best, so_far) if minimize else (so_far, at_best)
    return pd.DataFrame(dict(zip(COLUMNS, (sizes, lower, upper), strict=True)))
