"""The difference between two configurations, seed by seed.

All configurations get the same seeds, so the trials of two of them form pairs. With d_i the difference of the i-th
pair's scores, i = 1 .. n,

    mean   m = sum_i d_i / n                                        = difference of the two means
    error  standard error of m, sqrt(sum_i (d_i - m)^2 / (n - 1)) / sqrt(n)

What a seed does to both configurations alike cancels in d_i, which it does not in the two spreads.

Assumptions: every seed of the one has its partner; the d_i are independent, with one distribution. Crossed
initialisation and data-order seeds share seeds between pairs, so there the error is too small; and the best of many
configurations was chosen by the same scores, which makes its lead too large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from greenexp.analysis.numbers.rounding import unless_rounding
from greenexp.analysis.sweeps.repetitions import SEEDS, over_folds


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """mean: of first - second; error: its standard error; pairs: n; all in the scores' unit.

    error is NaN for one pair, and where the differences do not vary, which says nothing of their noise.
    """

    mean: float
    error: float
    pairs: int


def paired_difference(trials: pd.DataFrame, first: str, second: str) -> PairedDifference:
    """The scores of configuration `first` minus those of `second`, paired over (initialisation_seed, order_seed).

    trials: as in `SweepTables`; folds are averaged first (`analysis.sweeps.repetitions`). Pairs without both scores are
    left out; without any, all is NaN.
    """
    trials = over_folds(trials)
    scores = [trials[trials["configuration"] == name].set_index(list(SEEDS))["score"] for name in (first, second)]
    differences = (scores[0] - scores[1]).dropna()
    count = len(differences)
    if not count:
        return PairedDifference(math.nan, math.nan, 0)
    spread = unless_rounding(float(differences.std(ddof=1)), *scores) if count > 1 else math.nan
    error = spread / math.sqrt(count) if spread > 0 else math.nan
    return PairedDifference(float(differences.mean()), error, count)
