"""What a search has in hand at each budget, as a distribution: the table every curve over cost is read from.

At budget b, the best score Y_b of what has finished is one of the distinct scores of the sweep, or there is none yet.
From P(Y_b = y) and P(none) follow, without further estimation,

    mean              sum_y y P(Y_b = y) / (1 - P(none)), over the searches that have something in hand
    quantile q        the q-quantile over all searches, `none` being worse than every score
    reaching          P(Y_b at least as good as a target)
    A against B       P(Y^A_b better than Y^B_b) + 1/2 P(equal), the searches being independent; `none` loses to any
                      score and ties with `none`
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from greenexp.analysis.numbers.rounding import SHARE_ROUNDING, at_least_as_good, lowered, tied
from greenexp.records.arrays import Floats


@dataclass(frozen=True, eq=False)
class BestDistribution:
    """The distribution of the best score in hand, per budget.

    budgets: [B]; scores: [Y], distinct, worst first, in their own unit; probability: [B, Y + 1], rows sum to 1, the
    first column being that nothing has finished; orders: how many searches were simulated, 0 if it is exact;
    method: how it was computed; lattice: of which unit all costs are multiples, NaN where that was not used
    """

    budgets: Floats
    scores: Floats
    probability: Floats
    minimize: bool
    method: str
    lattice: float = math.nan
    orders: int = 0

    @property
    def nothing_finished(self) -> Floats:
        """P(none), [B]."""
        first: Floats = self.probability[:, 0]
        return first

    @property
    def mean(self) -> Floats:
        """Expected best score of the searches that have finished something, [B]; NaN where none has."""
        something = self.probability[:, 1:].sum(axis=1)
        # Relative to the best, so that a score that is certain comes out exactly.
        best = self.scores[-1] if self.scores.size else math.nan
        loss = self.probability[:, 1:] @ (best - self.scores)
        mean: Floats = best - np.divide(loss, something, out=np.full(something.size, np.nan), where=something > 0)
        return mean

    def quantile(self, level: float) -> Floats:
        """The `level`-quantile of the score in hand, [B]; NaN where that quantile is to have nothing."""
        turned = self.probability[:, ::-1] if self.minimize else self.probability
        # Ascending scores with a place for `none`: below all, or above all where less is better.
        none = [math.nan]
        places = np.concatenate((self.scores[::-1], none) if self.minimize else (none, self.scores))
        share = np.cumsum(turned, axis=1)
        first = (share >= lowered(level)).argmax(axis=1)
        found: Floats = places[first]
        return found

    def statistic(self, level: float | None) -> Floats:
        """`mean` for None, else `quantile(level)`; [B]."""
        return self.mean if level is None else self.quantile(level)

    def standard_error(self, level: float | None = None) -> Floats:
        """Error of `statistic` from simulating finitely many searches, [B]; 0 where the distribution is exact.

        It is not how far the curve is known from this many trials. Of the mean: the spread over the root of the number
        of searches with something in hand. Of a quantile q: half the distance between the quantiles one standard
        deviation sqrt(q (1 - q) / orders) above and below q (Woodruff 1952), and 0 where these are the same score.
        """
        if not self.orders:
            return np.zeros(self.budgets.size)
        if level is None:
            something = self.probability[:, 1:].sum(axis=1)
            centred = (self.scores[None, :] - self.mean[:, None]) ** 2
            finished = something * self.orders
            weighted = (self.probability[:, 1:] * centred).sum(axis=1)
            variance = np.divide(weighted, something, out=np.full(something.size, np.nan), where=finished > 1)
            error: Floats = np.sqrt(
                np.divide(variance, finished, out=np.full(something.size, np.nan), where=finished > 1)
            )
            return error
        step = math.sqrt(level * (1 - level) / self.orders)
        low, high = self.quantile(max(level - step, SHARE_ROUNDING)), self.quantile(min(level + step, lowered(1.0)))
        return np.asarray(np.abs(high - low) / 2, dtype=np.float64)

    def reaching(self, target: float) -> Floats:
        """P(a score at least as good as `target` is in hand), [B]."""
        hit = at_least_as_good(self.scores, target, self.minimize)
        return np.asarray(self.probability[:, 1:] @ hit, dtype=np.float64)


def better_at(a: BestDistribution, b: BestDistribution) -> Floats:
    """P(the score in hand of `a` is better than that of `b`) at each of their budgets, [B]; ties count half.

    Both over the same number of budgets, pairwise. ValueError if they differ in direction or number of budgets.
    """
    if a.minimize != b.minimize or a.budgets.size != b.budgets.size:
        raise ValueError("two searches are compared at as many budgets, and in one direction")
    sign = -1.0 if a.minimize else 1.0
    ours, theirs = (np.concatenate(([-math.inf], sign * scores)) for scores in tied(a.scores, b.scores))
    upto = np.concatenate((np.zeros((b.budgets.size, 1)), np.cumsum(b.probability, axis=1)), axis=1)
    below, at_most = (upto[:, np.searchsorted(theirs, ours, side=side)] for side in ("left", "right"))
    better: Floats = np.clip((a.probability * (below + at_most)).sum(axis=1) / 2, 0.0, 1.0)
    return better
