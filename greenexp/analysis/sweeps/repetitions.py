"""How often a configuration was trained, with which seeds and, in a sweep that cross-validates, on which folds.

With folds every seed of a configuration is trained once per fold, each time on another part of the training set, and
scored on the rest. The score of a seed is the mean over its folds, a configuration's that over seeds and folds. Folds
are no seeds: their training sets overlap and their dev parts differ, so the spread between them is neither seed noise
nor the standard error of anything (there is no unbiased estimate of the variance of K-fold cross-validation from one
such run: Bengio and Grandvalet 2004, JMLR 5). So wherever seeds are paired, or their variance is split, folds are
averaged first.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SEEDS = ("initialisation_seed", "order_seed")
FOLD = "fold"


def has_folds(trials: pd.DataFrame) -> bool:
    """Whether a table of trials is of a sweep that cross-validates."""
    return FOLD in trials and bool(trials[FOLD].notna().any())


def over_folds(trials: pd.DataFrame) -> pd.DataFrame:
    """`trials` with one row per configuration and pair of seeds: configuration, SEEDS, score (mean over its folds).

    trials: as in `SweepTables`; as given where no trial has a fold. NaN as soon as one fold has no score.
    """
    if not has_folds(trials):
        return trials
    groups = trials.groupby(["configuration", *SEEDS], sort=False)["score"]
    means = groups.mean().where(groups.count() == groups.size(), np.nan)
    return means.reset_index()
