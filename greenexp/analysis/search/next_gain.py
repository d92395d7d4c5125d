"""What the next configurations are expected to gain over the best score so far, from the scores alone.

Draws. N scores are independent draws, better = greater. With E_n the expected best of n of them (`curves.tuning_curve`,
without replacement; between two whole n it is linear in log n), the last two doublings gained

    G_2 = E_N - E_{N/2},   G_1 = E_{N/2} - E_{N/4},   rho = min(1, G_2 / G_1).

Where the best score approaches a limit like b - c n^{-a}, as it does where the upper tail of the scores ends (Lourie et
al.'s quadratic limit is a case, see `curves.tail`), rho = 2^{-a}, and m more draws, x = 1 + m/N times as many, gain

    G = G_2 (1 - x^{-a}) / (2^a - 1),   for rho = 1: G_2 log2(x)

on average over searches. The chance that they gain anything is m / (N + m), whatever the distribution, if no two scores
can be equal. How much the gain varies, and what it is at most in 19 of 20 searches, is the posterior predictive of
`gain_law`, in which the end and the steepness of the tail are uncertain.

Searches that learn. Later proposals are no draws of what came before. The greater of two numbers is given: what the
last doubling of this very search gained, times log2(x), and G of its last max(10, N/4) proposals, less what the best of
all is ahead of their best. Gains become smaller as a search goes on, so this is an upper estimate without a law.

How often both are right, on recorded searches: `benchmarks/next_gain.py`, docs/results/search.md.
Assumptions: one score per configuration, each trained to its end; ties count as gains of 0. Scores that are means over
few seeds are partly luck, and so are their gains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from greenexp.analysis.search.gain_law import gain_law
from greenexp.records.arrays import Floats

LEAST = 8
"""Fewer scores than this have no two doublings to speak of."""
LEVEL = 0.95
"""How probable it is that the gain is not above `at_most`."""
_WINDOW = 10
_LIMIT_REACHED = 1e-3
"""The least rho: a search whose last doubling gained nothing, or next to nothing, after one that did."""


@dataclass(frozen=True, slots=True)
class NextGain:
    """What `configurations` more are expected to gain over the best of `known` scores, in the scores' unit.

    mean: the expected gain, at least 0; at_most: what it is not above, with probability LEVEL; None if not known
    chance: that they gain anything; None if not known
    upper: whether `mean` is an upper estimate, as it is for searches that learn
    """

    configurations: int
    known: int
    mean: float
    at_most: float | None
    chance: float | None
    upper: bool


def gain_of_draws(scores: ArrayLike, configurations: int, *, minimize: bool = False) -> NextGain:
    """What `configurations` more independent draws are expected to gain. See the module.

    scores: [N], N >= LEAST, finite, in any order. Raises ValueError for fewer, and for less than one configuration.
    """
    ranked = -np.sort(-_signed(scores, configurations, minimize))
    known = ranked.size
    mean = _mean_gain(ranked, configurations)
    limit = gain_law(ranked, configurations).quantile(LEVEL)
    chance = configurations / (known + configurations)
    return NextGain(configurations, known, mean, limit, chance, upper=False)


def gain_of_search(scores: ArrayLike, configurations: int, *, minimize: bool = False) -> NextGain:
    """What `configurations` more proposals of a search that learns are expected to gain at most. See the module.

    scores: [N], N >= LEAST, finite, in the order in which they were proposed. Raises ValueError as `gain_of_draws`.
    """
    values = _signed(scores, configurations, minimize)
    known = values.size
    doubled = float(values.max() - values[: known // 2].max()) * math.log2(1 + configurations / known)
    latest = values[-max(_WINDOW, known // 4) :]
    ahead = float(values.max() - latest.max())
    drawn = _mean_gain(-np.sort(-latest), configurations) - ahead
    return NextGain(configurations, known, max(doubled, drawn, 0.0), None, None, upper=True)


def _signed(scores: ArrayLike, configurations: int, minimize: bool) -> Floats:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size < LEAST or not np.isfinite(values).all():
        raise ValueError(f"scores must be a list of at least {LEAST} finite numbers")
    if configurations < 1:
        raise ValueError(f"the number of further configurations must be at least 1, not {configurations}")
    return -values if minimize else values


def _mean_gain(ranked: Floats, more: int) -> float:
    """G of the module; ranked: [N], the best first."""
    known = ranked.size
    half = _expected_best(ranked, known / 2)
    last, before = float(ranked[0]) - half, half - _expected_best(ranked, known / 4)
    if last <= 0:
        return 0.0
    rho = min(1.0, max(last / before, _LIMIT_REACHED)) if before > 0 else 1.0
    exponent, times = -math.log2(rho), 1 + more / known
    if exponent < 1e-9:
        return last * math.log2(times)
    return float(last * (1 - times**-exponent) / (2**exponent - 1))


def _expected_best(ranked: Floats, size: float) -> float:
    """E_n of the module for real n >= 1."""
    return float(_rank_chances(ranked.size, size) @ ranked)


def _rank_chances(known: int, size: float) -> Floats:
    """[N], the chance that the best of `size` of N is the 1st, 2nd, ... best of all; mixed where `size` is between."""
    lower = max(1, math.floor(size))
    upper = min(known, lower + 1)
    part = 0.0 if upper == lower or size <= lower else math.log(size / lower) / math.log(upper / lower)
    return (1 - part) * _whole_rank_chances(known, lower) + part * _whole_rank_chances(known, upper)


def _whole_rank_chances(known: int, size: int) -> Floats:
    """C(N - j, n - 1) / C(N, n) for j = 1 .. N - n + 1, then 0."""
    rank = np.arange(1, known - size + 2)
    ways = gammaln(known - rank + 1) - gammaln(size) - gammaln(known - rank - size + 2)
    every = gammaln(known + 1) - gammaln(size + 1) - gammaln(known - size + 1)
    chances = np.zeros(known)
    chances[: rank.size] = np.exp(ways - every)
    return chances
