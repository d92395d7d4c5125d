"""Scores as points of a plane: what the studies of fronts need of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from greenexp.analysis.fronts.pareto import pareto_front
from greenexp.records.arrays import Floats
from greenexp.records.scores import COST, SCORE, TRIAL, Scores

Reference = tuple[float, float]
"""Cost, score: the order of the columns of points."""


def values_of(rows: pd.DataFrame) -> Floats:
    """[R, 2]: cost, score."""
    return rows[[COST, SCORE]].to_numpy(dtype=np.float64)


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that are points: a score and a cost are there."""
    return rows.dropna(subset=[COST, SCORE])


def own_fronts(scores: Scores, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows on the front of their own trial, each place once; of a trial without a point one row of NaN.

    No other row adds to what several trials dominate or attain.
    """
    parts = []
    for _, trial in rows.groupby(TRIAL, sort=False):
        kept = trial[pareto_front(values_of(trial), scores.directions)].drop_duplicates([COST, SCORE])
        parts.append(kept if len(kept) else trial.head(1).assign(cost=math.nan, score=math.nan))
    return pd.concat(parts, ignore_index=True)
