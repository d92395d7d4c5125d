"""Simultaneous confidence bands: for the distribution of scores, its quantiles, and tuning curves.

From N scores drawn independently from a distribution F, a band is a pair of step functions that contain F everywhere at
once with the stated probability. With y_(1) <= ... <= y_(N), it is constant between neighbouring scores,

    lower_i <= F(y) <= upper_i    for y_(i) <= y < y_(i+1),  i = 0 .. N,  y_(0) = -inf, y_(N+1) = inf.

    equal_local_levels  lower_i = l_i, upper_i = h_{i+1} of `analysis.numbers.order_statistics` (l_0 = 0, h_{N+1} = 1):
    exact
                        for continuous F, narrow at the ends, where the best scores are
    ks                  i/N -+ the quantile of Kolmogorov's statistic: exact for continuous F, as wide at the ends
    dkw                 i/N -+ sqrt(ln(2 / (1 - confidence)) / (2N)) (Massart 1990): valid, wider than ks
    ld_highest_density  opda's band (Lourie et al. 2024), calibrated by simulation; needs the package opda

What follows from F follows from the band, with the same confidence and for all budgets together. The best of n draws
has distribution F^n, so its q-quantile is F^-1(q^(1/n)), and its mean, on the support [a, b], is b - integral_a^b F^n
(Lourie et al. 2024, "Show Your Work with Confidence", section 3). Where more is better, the upper band of F gives the
lower curve.

Assumptions: independent draws from one F, as a random search makes them, each the full score. Ties: where F has jumps
the bands still hold, with more than the stated probability; `ties` says how many scores repeat an earlier one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from greenexp.analysis.numbers.order_statistics import equal_local_level, local_bounds
from greenexp.errors import did_you_mean
from greenexp.records.arrays import Floats

Method = Literal["equal_local_levels", "ks", "dkw", "ld_highest_density"]
METHODS: tuple[Method, ...] = get_args(Method)
NO_SUPPORT = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class ConfidenceBand:
    """A band for the distribution function of scores; see the module.

    scores: [N], ascending; lower, upper: [N + 1], the bounds below the first score, between neighbours and from the
    last one on; support: (a, b), where scores can lie; ties: scores that repeat another
    """

    scores: Floats
    lower: Floats
    upper: Floats
    confidence: float
    method: Method
    support: tuple[float, float]

    @property
    def ties(self) -> int:
        """How many scores are equal to an earlier one."""
        return int((np.diff(self.scores) == 0).sum())

    @property
    def table(self) -> pd.DataFrame:
        """score, cdf, lower, upper: of F at and after each score; a first row from the lower end of the support."""
        knots = np.concatenate(([self.support[0]], self.scores))
        share = np.arange(knots.size) / self.scores.size
        return pd.DataFrame({"score": knots, "cdf": share, "lower": self.lower, "upper": self.upper})

    def cdf(self, values: ArrayLike) -> tuple[Floats, Floats]:
        """(lower, upper) bounds of F at `values`, each of their shape; 0 below the support, 1 from its end on."""
        points = np.asarray(values, dtype=np.float64)
        place = np.searchsorted(self.scores, points, side="right")
        below, above = points < self.support[0], points >= self.support[1]
        low, high = (np.where(above, 1.0, np.where(below, 0.0, side[place])) for side in (self.lower, self.upper))
        return low, high

    def quantile(self, levels: ArrayLike) -> tuple[Floats, Floats]:
        """(lower, upper) bounds of F^-1 at `levels` in [0, 1], each of their shape; the support's ends at worst."""
        shares = np.asarray(levels, dtype=np.float64)
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError("levels of a quantile must lie between 0 and 1")
        knots = np.concatenate(([self.support[0]], self.scores, [self.support[1]]))
        # F^-1(p) = inf {y: F(y) >= p}: the greatest F that is possible gives the least quantile.
        low = knots[np.searchsorted(self.upper, shares)]
        high = knots[np.searchsorted(self.lower, shares)]
        return low, high


def confidence_band(
    scores: ArrayLike,
    confidence: float = 0.95,
    method: Method = "equal_local_levels",
    support: tuple[float, float] = NO_SUPPORT,
) -> ConfidenceBand:
    """A band that contains the distribution function of the scores everywhere with probability `confidence`.

    scores: [N], finite; confidence: in (0, 1); support: the smallest and largest score there can be (accuracy: 0, 1)
    Deterministic but for ld_highest_density, which is simulated from a fixed seed. Raises ValueError for anything else,
    and for scores outside the support.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("scores must be a list of at least one number, all of them finite")
    values = np.sort(values)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, received {confidence}")
    if method not in METHODS:
        raise ValueError(f"unknown method '{method}'{did_you_mean(method, METHODS)} (known: {', '.join(METHODS)})")
    if np.shape(support) != (2,):
        raise ValueError(f"support must be two numbers, the smallest and largest score there can be, not {support!r}")
    least, most = float(support[0]), float(support[1])
    if not least <= values[0] or not values[-1] <= most:
        raise ValueError(f"scores from {values[0]} to {values[-1]} do not lie in the support {least} to {most}")
    lower, upper = _bounds(values, confidence, method)
    return ConfidenceBand(values, lower, upper, confidence, method, (least, most))


def _bounds(values: Floats, confidence: float, method: Method) -> tuple[Floats, Floats]:
    n = values.size
    if method == "equal_local_levels":
        low, high = local_bounds(n, equal_local_level(n, confidence))
        return np.concatenate(([0.0], low)), np.concatenate((high, [1.0]))
    if method == "ld_highest_density":
        return _of_opda(values, confidence)
    if method == "ks":
        width = float(stats.kstwo.ppf(confidence, n))
    else:
        width = math.sqrt(math.log(2 / (1 - confidence)) / (2 * n))
    share = np.arange(n + 1) / n
    return np.clip(share - width, 0, 1), np.clip(share + width, 0, 1)


def _of_opda(values: Floats, confidence: float) -> tuple[Floats, Floats]:
    try:
        from opda.nonparametric import EmpiricalDistribution
    except ImportError as error:
        raise ValueError("method 'ld_highest_density' is opda's, which is not installed: pip install opda") from error
    # By ranks: opda warns about ties, which change nothing here.
    ranks = np.arange(values.size, dtype=np.float64)
    low, _, high = EmpiricalDistribution.confidence_bands(
        ranks, confidence, generator=np.random.default_rng(0), method="ld_highest_density", n_jobs=1
    )
    before = np.concatenate(([-1.0], ranks))
    return np.asarray(low.cdf(before), dtype=np.float64), np.asarray(high.cdf(before), dtype=np.float64)
