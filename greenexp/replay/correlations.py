"""Metrics of predicted numbers, as `greenexp.tasks.metrics` has them. NaN where one is not defined.

predictions, labels: float64 [example].
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from greenexp.records.arrays import Floats


def pearson(predictions: Floats, labels: Floats) -> float:
    """Pearson's correlation, cov(x, y) / (sd(x) sd(y)); NaN when a side is constant or not finite."""
    if not (_varies(predictions) and _varies(labels)):
        return math.nan
    x, y = _unit(predictions), _unit(labels)
    return float(np.clip(x @ y, -1, 1))


def spearman(predictions: Floats, labels: Floats) -> float:
    """Spearman's rank correlation, ties at their mean rank; NaN when a side is constant or not finite."""
    if not (_varies(predictions) and _varies(labels)):
        return math.nan
    return pearson(_ranks(predictions), _ranks(labels))


def mean_squared_error(predictions: Floats, labels: Floats) -> float:
    """Mean of (prediction - label)^2; NaN when that is not finite. Less is better."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = float(np.mean((predictions - labels) ** 2))
    return error if math.isfinite(error) else math.nan


def _ranks(values: Floats) -> Floats:
    ranks: Floats = np.asarray(pd.Series(values).rank(), dtype=np.float64)
    return ranks


def _unit(values: Floats) -> Floats:
    """Centred and of length 1; squares of float32 logits neither overflow nor vanish in float64."""
    centred = values - values.mean()
    scaled: Floats = centred / np.linalg.norm(centred)
    return scaled


def _varies(values: Floats) -> bool:
    """More than rounding: a spread near the resolution of the mean would give noise."""
    if len(values) < 2 or not np.isfinite(values).all():
        return False
    mean = float(values.mean())
    return bool(np.abs(values - mean).max() > 1e-12 * max(abs(mean), 1e-300))
