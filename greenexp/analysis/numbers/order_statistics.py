"""Bounds that all order statistics of a uniform sample keep together, with exactly known probability.

With U_(1) <= ... <= U_(n) the sorted values of n independent uniforms on [0, 1], U_(i) ~ Beta(i, n + 1 - i). Equal
local levels: each order statistic gets the equal-tailed interval of one level 1 - eta,

    l_i = Beta(i, n + 1 - i).ppf(eta / 2),    h_i = Beta(i, n + 1 - i).ppf(1 - eta / 2),

and eta is the one for which P(l_i <= U_(i) <= h_i for all i) is the confidence asked for (Aldor-Noiman et al. 2013,
"The Power to See"; equal-tailed bands of Learned-Miller & DeStefano 2008). That probability is computed, not simulated:
the count of values up to t is a Poisson process of rate n that happens to end at n, and the bounds say between which
numbers it must lie at the times l_i and h_i; so its distribution is carried from time to time by convolution with
Poisson probabilities, cutting off what has left the bounds (the recursion of Noe 1972, Poissonised as in Moscovich &
Nadler 2017). O(n) steps of O(sqrt(n)) width; all terms are positive, so nothing cancels.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from greenexp.records.arrays import Floats

TERMS = 40
"""Poisson probabilities kept per step where the rate is at most 1: what is left out is below 1e-48."""


@lru_cache(maxsize=64)
def equal_local_level(n: int, confidence: float) -> float:
    """The level eta (see the module) at which `n` order statistics keep their bounds with probability `confidence`.

    Found to a relative error of 1e-10. The union bound puts it between (1 - confidence) / n and 1 - confidence.
    """
    miss = 1 - confidence
    if n == 1:
        return miss

    def excess(log_eta: float) -> float:
        return coverage(*local_bounds(n, math.exp(log_eta))) - confidence

    low, high = math.log(miss / n) - 1e-6, math.log(miss) + 1e-6
    return math.exp(float(optimize.brentq(excess, low, high, xtol=1e-10, rtol=1e-12)))


def local_bounds(n: int, eta: float) -> tuple[Floats, Floats]:
    """(l, h), each [n]: the equal-tailed intervals of level 1 - eta of the order statistics, ascending."""
    ranks = np.arange(1, n + 1)
    low = np.asarray(stats.beta.ppf(eta / 2, ranks, n + 1 - ranks), dtype=np.float64)
    return low, 1 - low[::-1]  # by symmetry; ppf(1 - eta / 2) would lose the digits of a tiny eta


def coverage(low: Floats, high: Floats) -> float:
    """P(low_i <= U_(i) <= high_i for all i) for n independent uniforms; low, high: [n], ascending, in [0, 1]."""
    n = low.size
    if (low > high).any():
        return 0.0
    times = np.concatenate((low, high))
    # At time low_i at most i - 1 values have come, at time high_i at least i.
    most = np.concatenate((np.arange(n), np.full(n, n)))
    least = np.concatenate((np.zeros(n, dtype=np.int64), np.arange(1, n + 1)))
    order = np.argsort(times, kind="stable")
    times = np.concatenate((times[order], [1.0]))
    most = np.append(np.minimum.accumulate(most[order][::-1])[::-1], n)
    least = np.append(np.maximum.accumulate(least[order]), n)
    mass = _carried(n * np.diff(times, prepend=0.0), least, most)
    return min(1.0, mass / float(stats.poisson.pmf(n, n)))


def _carried(rates: Floats, least: NDArray[np.int64], most: NDArray[np.int64]) -> float:
    """P(a Poisson process keeps least <= count <= most after each step); rates: expected arrivals per step."""
    steps = np.exp(-rates)[:, None] * _powers(rates)
    state, first = np.ones(1), 0
    for step, rate in enumerate(rates):
        if rate > 0:
            width = int(most[step]) - first + 1
            arrivals = steps[step] if rate <= 1 else stats.poisson.pmf(np.arange(_reach(rate)), rate)
            state = np.convolve(state, arrivals[:width])[:width]
        else:
            state = state[: int(most[step]) - first + 1]
        cut = int(least[step]) - first
        if cut > 0:
            state, first = state[cut:], first + cut
        if not state.size:
            return 0.0
    return float(state.sum())


def _powers(rates: Floats) -> Floats:
    """rate^k / k! for k = 0 .. TERMS - 1, [step, k]; of rates above 1 the first terms only, which nobody uses."""
    terms = np.minimum(rates, 1.0)[:, None] / np.arange(1, TERMS)
    return np.concatenate((np.ones((rates.size, 1)), np.cumprod(terms, axis=1)), axis=1)


def _reach(rate: float) -> int:
    """How many Poisson probabilities of this rate matter: beyond the mean by 12 standard deviations, and 40."""
    return math.ceil(rate + 12 * math.sqrt(rate)) + TERMS
