"""Distributions of scores, side by side, without smoothing.

A density estimate of ten scores shows its bandwidth. Here: the empirical distribution function with a band that
contains the true one everywhere with the stated probability (`analysis.curves.bands`), and quantiles with the intervals
that follow from the band. These hold for all quantiles together, whatever the distribution is. With few scores they are
wide, and the outer ones open: -inf or inf without a support. Quantiles are inf {y: F(y) >= q}: one of the scores, never
between two.

Assumptions: independent scores of one distribution per method; ties make the bands wider than need be, never too
narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.curves.bands import NO_SUPPORT, Method, confidence_band
from greenexp.analysis.numbers.rounding import lowered

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def distribution_table(
    methods: Mapping[str, ArrayLike],
    confidence: float = 0.95,
    method: Method = "equal_local_levels",
    support: tuple[float, float] = NO_SUPPORT,
) -> pd.DataFrame:
    """group, score, cdf, lower, upper: the distribution function of each group's scores with its band.

    methods: name -> finite scores; a row per score of a group, before it one for the lower end of the support. Each
    group's band holds by itself. Raises ValueError as `confidence_band` does.
    """
    parts = []
    for name, scores in methods.items():
        table = confidence_band(scores, confidence, method, support).table
        table.insert(0, "group", name)
        parts.append(table)
    if not parts:
        raise ValueError("at least one list of scores is needed")
    return pd.concat(parts, ignore_index=True)


def quantile_table(
    methods: Mapping[str, ArrayLike],
    quantiles: Sequence[float] = QUANTILES,
    confidence: float = 0.95,
    method: Method = "equal_local_levels",
    support: tuple[float, float] = NO_SUPPORT,
) -> pd.DataFrame:
    """group, scores (how many), mean, standard_deviation (n - 1), quantile, score, lower, upper.

    A row per group and quantile in (0, 1]; 1 is the greatest score. lower, upper: of the quantile
    of the distribution, all of a group together with the stated confidence. ValueError as `confidence_band`.
    """
    levels = np.asarray(quantiles, dtype=np.float64)
    if levels.ndim != 1 or not ((levels > 0) & (levels <= 1)).all():
        raise ValueError("quantiles must be a list of numbers above 0 and up to 1")
    parts = []
    for name, scores in methods.items():
        band = confidence_band(scores, confidence, method, support)
        low, high = band.quantile(levels)
        # Guard: 0.1 * 30 is 3.0000000000000004, whose ceiling is 4.
        place = np.clip(np.ceil(lowered(levels * band.scores.size)).astype(int) - 1, 0, None)
        facts = {
            "group": name,
            "scores": band.scores.size,
            "mean": float(band.scores.mean()),
            "standard_deviation": float(band.scores.std(ddof=1)) if band.scores.size > 1 else np.nan,
        }
        found = {"quantile": levels, "score": band.scores[place], "lower": low, "upper": high}
        parts.append(pd.DataFrame({**facts, **found}))
    if not parts:
        raise ValueError("at least one list of scores is needed")
    return pd.concat(parts, ignore_index=True)
