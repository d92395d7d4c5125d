"""How much a gain of further draws varies: its posterior predictive, from the upper half of the scores so far.

N independent scores, better = greater, z_1 the best, and u the one below the k best, k being half of N, but 5 at least
and 50 at most. What lies above a threshold is a generalised Pareto law where the tail of the scores has a limit at all:

    P(Y > u + y | Y > u) = (1 - y/b)^a,   0 <= y <= b,

a = g/2 where g hyperparameters are effective near the best score, which is b above u (Lourie et al.; `curves.tail` fits
the same law). Neither is known from a few scores. So all are taken that agree with them: the likelihood of the k
scores, log-uniform priors for a from 1/2 to 20, one to 40 hyperparameters, and for b/a, the scale, b being between the
best score so far and 1000 times as far from u. The share p of the law above u is that of an order statistic,
Beta(k + 1, N - k), and the best of m more is above u + y with probability 1 - (1 - p (1 - y/b)^a)^m. The mean of that
over a, b and p, for y above z_1 - u, is the law of the gain up to a factor: that there is one at all has probability
m / (N + m), whatever the law of the scores.

Assumptions: no two scores are equal but by chance. Ties at the best make gains rarer than that; the law says more then.
Sources: Pickands 1975, "Statistical inference using extreme order statistics", for the tail; Gelman et al., "Bayesian
Data Analysis", chapter 1, for predictions with unknown parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from greenexp.records.arrays import Floats

_LEAST_ABOVE, _MOST_ABOVE = 5, 50
_EXPONENTS = np.geomspace(0.5, 20.0, 12)
_GAPS = np.geomspace(1e-4, 1e3, 36)
"""How far b lies beyond the best score, in distances of the best from u."""
_GAINS = np.concatenate([[0.0], np.geomspace(1e-5, 1e3, 120)])
"""In the same unit."""
_SHARES = 6
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, eq=False)
class GainLaw:
    """gains: [G], rising from 0; above: [G], the probability of more than each, falling."""

    gains: Floats
    above: Floats

    def quantile(self, level: float) -> float:
        """The least gain that the gain exceeds with probability 1 - level at most."""
        if self.above[0] <= 1 - level:
            return 0.0
        return float(np.interp(level - 1, -self.above, self.gains))


def gain_law(ranked: Floats, more: int) -> GainLaw:
    """The law of what `more` draws gain over the best of N. See the module.

    ranked: [N], N >= 2, the best first. With all of the upper half equal there is no tail, and no gain.
    """
    known = ranked.size
    count = min(known - 1, max(_LEAST_ABOVE, min(_MOST_ABOVE, math.ceil(known / 2))))
    reach = float(ranked[0] - ranked[count])
    if reach <= 0:
        return GainLaw(np.zeros(2), np.zeros(2))
    exponents, gaps = (grid.ravel() for grid in np.meshgrid(_EXPONENTS, _GAPS, indexing="ij"))
    likelihood = _log_likelihood((ranked[:count] - ranked[count]) / reach)
    posterior = np.exp(likelihood - likelihood.max())
    posterior /= posterior.sum()
    kept = posterior > _NEGLIGIBLE
    left = np.maximum(0.0, 1 - (1 + _GAINS) / (1 + gaps[kept, None])) ** exponents[kept, None]
    shares = beta.ppf((np.arange(_SHARES) + 0.5) / _SHARES, count + 1, known - count)
    above = np.mean([posterior[kept] @ -np.expm1(more * np.log1p(-share * left)) for share in shares], axis=0)
    return GainLaw(reach * _GAINS, above * (more / (known + more) / above[0]))


def _log_likelihood(above: Floats) -> Floats:
    """[exponents x gaps], of b and a as in the module, with what a step on the grid weighs; above: [k], best = 1."""
    ends = 1 + _GAPS
    density = np.log(_EXPONENTS)[:, None] - np.log(ends)
    inside = np.log1p(-above[None, :] / ends[:, None]).sum(axis=1)
    step = np.log(_GAPS / ends)  # uniform in log(b/a) at a given a, on steps that are uniform in log(gap)
    found: Floats = above.size * density + (_EXPONENTS[:, None] - 1) * inside + step
    return found.ravel()
