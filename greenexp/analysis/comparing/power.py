"""How many seeds it takes to tell two methods apart with a t test.

Unpaired, s seeds each, normal scores with standard deviations a, b: the statistic is nearly noncentral t,

    t ~ t'(f, d / sqrt((a^2 + b^2) / s)),    f = (s - 1) (a^2 + b^2)^2 / (a^4 + b^4),

exactly for Student's test if a = b (f = 2 (s - 1)). Welch's test has to estimate f and finds less with few seeds: for
d = 2 a, simulated, 0.11 of the 0.22 said here with 2 seeds, 0.37 of 0.46 with 3, 0.76 of 0.79 with 5, then the same.

Paired, the s differences having standard deviation c: t ~ t'(s - 1, d sqrt(s) / c), with c^2 = a^2 + b^2 - 2 r a b for
scores correlated by r over seeds. Pairing pays only where r > 0: seeds that set the same data order for both can give
that, an initialisation of different models hardly.

    power = P(|t| > t_{f, 1 - alpha / 2})

(two-sided; the tail on the wrong side included; Cohen 1988, "Statistical Power Analysis", chapter 2.) The difference
and the standard deviations are those of the truth. Put in from a small study they are guesses: the power from the
observed difference says no more than its p-value does (Hoenig & Heisey 2001), so ask for the difference that would
matter, not the one that was seen.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, special

from greenexp.records.arrays import Floats

MOST = 1_000_000
"""Seeds beyond which `seeds_needed` gives up."""


def t_test_power(
    difference: float,
    seeds: float,
    sd: float,
    sd_other: float | None = None,
    paired: bool = False,
    alpha: float = 0.05,
) -> float:
    """Probability that a two-sided t test at level `alpha` finds a true difference with `seeds` seeds per method.

    sd: standard deviation over seeds of the one method, sd_other: of the other (None: the same); paired: sd is that of
    the differences. seeds: at least 2; difference and sds in one unit, sd above 0. ValueError for anything else.
    """
    noise, degrees = _noise(seeds, sd, sd_other, paired, alpha)
    return _power(abs(difference) / noise, degrees, alpha)


def smallest_difference(
    seeds: float,
    sd: float,
    sd_other: float | None = None,
    paired: bool = False,
    power: float = 0.8,
    alpha: float = 0.05,
    degrees: float | None = None,
) -> float:
    """The smallest true difference found with probability `power`; arguments as in `t_test_power`, power > alpha.

    degrees: of freedom of `sd`, where it was estimated from more than these seeds
    """
    noise, own = _noise(seeds, sd, sd_other, paired, alpha)
    degrees = own if degrees is None else degrees
    _check_power(power, alpha)
    return noise * _smallest_shift(degrees, power, alpha)


def seeds_needed(
    difference: float,
    sd: float,
    sd_other: float | None = None,
    paired: bool = False,
    power: float = 0.8,
    alpha: float = 0.05,
) -> int | None:
    """The least number of seeds per method with which a true `difference` is found with probability `power`.

    At least 2; None if more than a million would be needed, as for a difference of 0. Arguments as in `t_test_power`.
    """
    _check_power(power, alpha)

    def enough(seeds: int) -> bool:
        return t_test_power(difference, seeds, sd, sd_other, paired, alpha) >= power

    if enough(2):
        return 2
    low, high = 2, 4
    while not enough(high):
        if high >= MOST:
            return None
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= MOST else None


def _noise(seeds: float, sd: float, sd_other: float | None, paired: bool, alpha: float) -> tuple[float, float]:
    """Standard error of the difference, and degrees of freedom."""
    other = sd if sd_other is None else sd_other
    if not seeds >= 2 or not (sd > 0 and other >= 0 and math.isfinite(sd + other)) or not 0 < alpha < 1:
        raise ValueError("a test needs at least 2 seeds, a finite standard deviation above 0, a level between 0 and 1")
    if paired:
        if sd_other is not None:
            raise ValueError("a paired test has one standard deviation, that of the differences")
        return sd / math.sqrt(seeds), seeds - 1
    a, b = sd**2, other**2
    return math.sqrt((a + b) / seeds), (seeds - 1) * (a + b) ** 2 / (a**2 + b**2)


@lru_cache(maxsize=4096)
def _smallest_shift(degrees: float, power: float, alpha: float) -> float:
    """The difference in standard errors; many groups of one design ask for the same one."""
    far = 1.0
    while _power(far, degrees, alpha) < power:
        far *= 2
    return float(optimize.brentq(lambda d: _power(d, degrees, alpha) - power, 0.0, far, xtol=1e-10))


@lru_cache(maxsize=1)
def _gauss_legendre() -> tuple[Floats, Floats]:
    """Nodes and weights, which take longer to find than all that is done with them."""
    nodes, weights = np.polynomial.legendre.leggauss(80)
    return nodes, weights


def _power(shift: float, degrees: float, alpha: float) -> float:
    """P(|T| > bound) for T = (Z + shift) / R, R = sqrt(chi-squared / degrees), integrated over R.

    Not scipy's noncentral t, which fails at few degrees of freedom and a large shift. Error below 1e-5.
    """
    # Functions of scipy.special: the distributions of scipy.stats take ten times as long to check their arguments.
    bound = float(special.stdtrit(degrees, 1 - alpha / 2))
    ends = np.sqrt(2 * special.gammaincinv(degrees / 2, [1e-15, 0.5, 1 - 1e-15]) / degrees)
    turn = shift / bound + np.array([-9.0, -3.0, 0.0, 3.0, 9.0]) / bound  # where the inner probability changes
    edges = np.unique(np.clip(np.concatenate((ends, turn)), ends[0], ends[-1]))
    nodes, weights = _gauss_legendre()
    half = np.diff(edges)[:, None] / 2
    root = edges[:-1, None] + half * (1 + nodes)
    squares = degrees * root**2
    logarithm = special.xlogy(degrees / 2 - 1, squares / 2) - squares / 2 - special.gammaln(degrees / 2)
    density = degrees * root * np.exp(logarithm)  # of the root of chi-squared / degrees
    beyond = special.ndtr(shift - bound * root) + special.ndtr(-shift - bound * root)
    return min(1.0, float((density * beyond * weights * half).sum()))


def _check_power(power: float, alpha: float) -> None:
    if not alpha < power < 1:
        raise ValueError(f"the power must lie between the level, {alpha}, and 1; received {power}")
