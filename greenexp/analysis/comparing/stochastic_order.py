"""Almost-stochastic order: how far the whole distribution of A's scores is from being above that of B's.

A is stochastically above B if its quantile function is nowhere below: F^-1(t) >= G^-1(t) for all t. The violation ratio
measures how far from that two distributions are (del Barrio, Cuesta-Albertos & Matran 2018; Dror, Shlomov &
Reichart 2019):

    epsilon(A, B) = integral (G^-1 - F^-1)_+^2 dt / integral (F^-1 - G^-1)^2 dt,

0 if A is above everywhere, 1 if B is, and epsilon(A, B) + epsilon(B, A) = 1. Two equal samples have 0/0, for which 1/2
is taken. The integrals are exact: between the points i/n and j/m both empirical quantile functions are constant.

    epsilon_min = epsilon + z_confidence * sd*,

sd* being the standard deviation of epsilon over bootstrap samples of both, is an upper confidence bound. A is called
almost stochastically above B if epsilon_min < 1/2; Ulmer, Hardmeier & Frellsen (2022) advise < 0.2. The level 1 -
confidence is asymptotic and for distributions that differ: where they are equal epsilon is 0/0, and epsilon_min < 1/2
comes out far more often than the level, at any number of scores (measured in `docs/results/how-many-seeds.md`). So it
is a description of how two distributions lie, beside a test, not the test. Also, where one sample lies wholly above the
other, every bootstrap sample does, and epsilon_min is 0 at any size.

Assumptions: independent scores, two independent samples, finite second moments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from greenexp.analysis.numbers.rounding import difference
from greenexp.records.arrays import Floats

BOOTSTRAP = 1_000
_CHUNK = 2_000_000


@dataclass(frozen=True, slots=True)
class StochasticOrder:
    """epsilon: the violation ratio of A above B; standard_deviation: over bootstrap samples; epsilon_min: upper bound.

    epsilon_min is cut off to [0, 1].
    """

    epsilon: float
    standard_deviation: float
    epsilon_min: float
    confidence: float


def violation_ratio(a: ArrayLike, b: ArrayLike, minimize: bool = False) -> float:
    """epsilon(A, B) of the module, in [0, 1]; a: [n], b: [m], finite scores; minimize: smaller is better."""
    ours, theirs = _sorted(a, minimize), _sorted(b, minimize)
    return float(_ratios(ours[None], theirs[None])[0])


def almost_stochastic_order(
    a: ArrayLike,
    b: ArrayLike,
    rng: np.random.Generator,
    confidence: float = 0.95,
    bootstrap: int = BOOTSTRAP,
    minimize: bool = False,
) -> StochasticOrder:
    """Whether A is almost stochastically above B; see the module.

    a: [n], b: [m], at least 2 finite scores each; bootstrap: number of samples; minimize: smaller is better. For both
    directions call it twice: epsilon_min(A, B) and epsilon_min(B, A) add up to at least 1 for confidence >= 1/2, up to
    the noise of the bootstrap, so that at most one can be below 1/2. Raises ValueError for anything else.
    """
    ours, theirs = _sorted(a, minimize), _sorted(b, minimize)
    if min(ours.size, theirs.size) < 2 or bootstrap < 2 or not 0 < confidence < 1:
        raise ValueError("needs 2 scores of each, 2 bootstrap samples, and a confidence between 0 and 1")
    rows = max(1, _CHUNK // (ours.size + theirs.size))
    ratios = []
    for start in range(0, bootstrap, rows):
        count = min(rows, bootstrap - start)
        draws = [np.sort(s[rng.integers(0, s.size, (count, s.size))], axis=1) for s in (ours, theirs)]
        ratios.append(_ratios(*draws))
    epsilon, spread = float(_ratios(ours[None], theirs[None])[0]), float(np.concatenate(ratios).std(ddof=1))
    bound = epsilon + float(stats.norm.ppf(confidence)) * spread
    return StochasticOrder(epsilon, spread, float(np.clip(bound, 0.0, 1.0)), confidence)


def _ratios(a: Floats, b: Floats) -> Floats:
    """The ratio of each row of sorted samples, [R, n] and [R, m]."""
    n, m = a.shape[1], b.shape[1]
    # In units of 1 / (n m), the quantile functions jump at multiples of m and of n.
    cuts = np.unique(np.concatenate((np.arange(0, n * m + 1, m), np.arange(0, n * m + 1, n))))
    gap = difference(a[:, cuts[:-1] // m], b[:, cuts[:-1] // n])
    # Scaled, so that squares of tiny differences do not vanish.
    largest = np.abs(gap).max(axis=1, keepdims=True)
    scaled = np.divide(gap, largest, out=np.zeros_like(gap), where=largest > 0)
    squares = scaled**2 * np.diff(cuts)
    total = squares.sum(axis=1)
    against = np.where(gap < 0, squares, 0.0).sum(axis=1)
    ratios: Floats = np.divide(against, total, out=np.full_like(total, 0.5), where=total > 0)
    return ratios


def _sorted(scores: ArrayLike, minimize: bool) -> Floats:
    values = np.asarray(scores, dtype=np.float64) * (-1.0 if minimize else 1.0)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("scores must be a list of at least one number, all of them finite")
    return np.sort(values)
