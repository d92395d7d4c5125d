"""What it takes to reach a target score: how many trials, at what cost, with which probability.

A trial reaches the target with probability p = 1 - F(target-), a tie (up to rounding) being a hit and a crash a miss.
Trials being independent, the first hit is number T, P(T > n) = (1 - p)^n, so

    P(reached in n trials) = 1 - (1 - p)^n        for any n: only p is estimated, nothing is extrapolated
    mean                     E[T] = 1/p
    quantile q               the smallest n with 1 - (1 - p)^n >= q, i.e. ceil(ln(1 - q) / ln(1 - p))
    cost                     C = sum of the costs of trials 1 .. T;  E[C] = E[T] E[c] = m_hit + m_miss (1 - p)/p  (Wald)

with m_hit, m_miss the mean costs of trials that hit and that miss. The distribution of C is that of a geometric sum:
with their cost distributions as power series H(z) and M(z) in the unit of cost, that of C is
p H(z) / (1 - (1 - p) M(z)), which is a recursive filter. It is exact where costs lie on a lattice that is not too fine;
else every cost is split between the neighbouring multiples of a small unit so that its mean stays (Gerber 1982), and
E[C] is Wald's all the same. Trials beyond the budget asked about cannot be paid for and are left out of the filter, so
that one very dear trial does not coarsen the unit for small budgets.

p = hits / N, with the exact interval of Clopper & Pearson (1934), and all of the above being monotone in p, theirs
follow. On the cost axis the interval is about p alone: what hits and misses cost is taken as observed. Without a hit,
p is at most 1 - (1 - confidence)^(1/N), exactly and one-sided (the rule of three, 3/N at 95 %, approximates it): the
target takes at least 1 / that p trials on average. What hits would cost is then unknown, and taken to be what trials
cost.

Assumptions: independent draws from one distribution, each trained to its end; the target was not chosen by looking at
the scores. (The best score seen, taken as a target, is a hit by construction and looks easier than it is.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import signal, stats

from greenexp.analysis.curves.renewal import MOST_STEPS, lattice_of, steps_of
from greenexp.analysis.numbers.rounding import at_least_as_good, lowered, raised
from greenexp.records.arrays import Floats

SHARES = (0.5, 0.9)
TARGET_COLUMNS = ("quantity", "trials", "trials_lower", "trials_upper", "cost", "cost_lower", "cost_upper")
REACH_COLUMNS = ("budget", "probability", "lower", "upper")
_ROUGH = 20.0
_FINEST, _ACROSS, _LARGEST = 500, 20_000, 2_000
"""Unit of split costs: no finer than the mean cost/500, the sum's scale/20,000, the largest cost/2,000."""


@dataclass(frozen=True, eq=False)
class BudgetToReach:
    """What it takes to reach `target`; see the module.

    trials: N; hits: how many reached it; share, lower, upper: p and its two-sided interval
    at_least_trials: with one-sided `confidence`, E[T] is no less; at_least_cost: the same for E[C], NaN without costs
    table: rows `mean`, `50 %`, `90 %`: after how many trials, at what cost the target is reached on average, or with
        that probability. NaN: not known (no hit, no costs); infinite: not bounded
    """

    target: float
    trials: int
    hits: int
    share: float
    lower: float
    upper: float
    confidence: float
    at_least_trials: float
    at_least_cost: float
    table: pd.DataFrame

    @property
    def summary(self) -> str:
        """One sentence."""
        if self.hits:
            mean = self.table.iloc[0]
            interval = f"{mean['trials_lower']:.3g} to {mean['trials_upper']:.3g}"
            return (
                f"{self.hits} of {self.trials} trials reached {self.target:g}: {mean['trials']:.3g} trials on average "
                f"({100 * self.confidence:g} % interval {interval})."
            )
        return (
            f"{self.target:g} was not reached by {self.trials} trials: at least {self.at_least_trials:.3g} trials on "
            f"average ({100 * self.confidence:g} %, one-sided)."
        )


def budget_to_reach(
    scores: ArrayLike,
    target: float,
    costs: ArrayLike | None = None,
    confidence: float = 0.95,
    minimize: bool = False,
    shares: Sequence[float] = SHARES,
    most_steps: float = MOST_STEPS,
) -> BudgetToReach:
    """How many trials, and at what cost, it takes to find a score at least as good as `target`.

    scores: [N], finite, or NaN for a trial that crashed; costs: [N], finite, > 0, of the same trials (None: trials
    only); confidence, shares: in (0, 1); most_steps: multiplications that the lattice of one
    quantile may take. Raises ValueError for anything else.
    """
    hit, prices = _checked(scores, target, costs, confidence, minimize)
    if not all(0 < q < 1 for q in shares):
        raise ValueError(f"shares must lie between 0 and 1, received {tuple(shares)}")
    share, lower, upper = _shares(hit, confidence)
    highest = float(stats.beta.ppf(confidence, hit.sum() + 1, (~hit).sum())) if not hit.all() else 1.0
    # A higher share takes fewer trials. Without a hit, the estimate would be infinite, which nobody has found out.
    at = (share if share > 0 else math.nan, upper, lower)
    trials = [[_mean_trials(p) for p in at], *([_quantile_trials(p, q) for p in at] for q in shares)]
    cost = [[math.nan] * 3 for _ in trials]
    if prices is not None:
        means = [_mean_cost(p, hit, prices) for p in at]
        cost = [means, *([_quantile_cost(p, q, hit, prices, most_steps) for p in at] for q in shares)]
    names = ["mean", *(f"{100 * q:g} %" for q in shares)]
    rows = [(name, *counted, *paid) for name, counted, paid in zip(names, trials, cost, strict=True)]
    return BudgetToReach(
        target=float(target),
        trials=hit.size,
        hits=int(hit.sum()),
        share=share,
        lower=lower,
        upper=upper,
        confidence=confidence,
        at_least_trials=1 / highest,
        at_least_cost=math.nan if prices is None else _mean_cost(highest, hit, prices),
        table=pd.DataFrame(rows, columns=list(TARGET_COLUMNS)),
    )


def probability_to_reach(
    scores: ArrayLike,
    target: float,
    budgets: ArrayLike,
    costs: ArrayLike | None = None,
    confidence: float = 0.95,
    minimize: bool = False,
) -> pd.DataFrame:
    """P(a score at least as good as `target` is found within each budget), with its interval.

    budgets: [B], of trials (n >= 0, the whole part counts), or in the unit of `costs` if those are given; of any size.
    The rest as in `budget_to_reach`. Columns REACH_COLUMNS; each interval holds by itself with probability
    `confidence`, and, p being the only unknown, over trials all of them hold together.
    """
    hit, prices = _checked(scores, target, costs, confidence, minimize)
    limits = np.asarray(budgets, dtype=np.float64)
    if limits.ndim != 1 or not (np.isfinite(limits) & (limits >= 0)).all():
        raise ValueError("budgets must be a list of finite numbers, none below 0")
    found = []
    for p in _shares(hit, confidence):
        if prices is None:
            found.append(-np.expm1(np.floor(limits) * np.log1p(-p)) if p < 1 else (limits >= 1).astype(np.float64))
        else:
            found.append(_reached_within(p, hit, prices, limits))
    return pd.DataFrame(dict(zip(REACH_COLUMNS, (limits, *found), strict=True)))


def _checked(
    scores: ArrayLike, target: float, costs: ArrayLike | None, confidence: float, minimize: bool
) -> tuple[NDArray[np.bool_], Floats | None]:
    """Which trials hit, and their costs."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or np.isinf(values).any():
        raise ValueError("scores must be a list of at least one number, finite or NaN for a trial without a score")
    if not math.isfinite(target) or not 0 < confidence < 1:
        raise ValueError("the target must be finite and the confidence between 0 and 1")
    hit = at_least_as_good(values, target, minimize)
    if costs is None:
        return hit, None
    prices = np.asarray(costs, dtype=np.float64)
    if prices.shape != values.shape or not (np.isfinite(prices) & (prices > 0)).all():
        raise ValueError("costs must be as many as the scores, finite and above 0: a crashed trial has its cost too")
    return hit, prices


def _shares(hit: NDArray[np.bool_], confidence: float) -> tuple[float, float, float]:
    """p, and its lower and upper limit by Clopper and Pearson."""
    hits, misses, tail = int(hit.sum()), int((~hit).sum()), (1 - confidence) / 2
    lower = float(stats.beta.ppf(tail, hits, misses + 1)) if hits else 0.0
    upper = float(stats.beta.ppf(1 - tail, hits + 1, misses)) if misses else 1.0
    return hits / hit.size, lower, upper


def _mean_trials(p: float) -> float:
    """1/p; NaN for NaN, infinite for 0, as all of these."""
    return 1 / p if p != 0 else math.inf


def _quantile_trials(p: float, q: float) -> float:
    if p == 0 or math.isnan(p):
        return math.inf if p == 0 else p
    return max(1.0, math.ceil(lowered(math.log1p(-q) / math.log1p(-p)))) if p < 1 else 1.0


def _parts(hit: NDArray[np.bool_], costs: Floats) -> tuple[Floats, Floats]:
    """Costs of hits and of misses; of whichever there is none, those of all trials stand in."""
    return (costs[hit] if hit.any() else costs), (costs[~hit] if not hit.all() else costs)


def _mean_cost(p: float, hit: NDArray[np.bool_], costs: Floats) -> float:
    hits, misses = _parts(hit, costs)
    return float(hits.mean() + misses.mean() * (1 - p) / p) if p != 0 else math.inf


def _quantile_cost(p: float, q: float, hit: NDArray[np.bool_], costs: Floats, most_steps: float) -> float:
    if p == 0 or math.isnan(p):
        return math.inf if p == 0 else p
    scale = -math.log1p(-q) * _mean_cost(p, hit, costs)
    longest = min(_quantile_trials(p, q) * float(costs.max()), 2 * scale + float(costs.max()))
    finest = math.inf
    while True:
        unit = _unit(costs, longest, most_steps)
        reached = _upto(p, hit, costs, unit, longest) >= lowered(q)
        found = float(reached.argmax() * unit)
        if not reached.any():
            longest *= 2
        elif found >= longest / _ROUGH or unit >= finest:
            return found
        else:  # few units: again, for what lies near it
            longest, finest = 2 * (found + unit), unit


def _reached_within(p: float, hit: NDArray[np.bool_], costs: Floats, limits: Floats) -> Floats:
    """P(the first hit is paid for within each of `limits`); limits of about one size share a unit."""
    found = np.zeros(limits.size)
    open_ones = raised(limits) >= _parts(hit, costs)[0].min()
    while open_ones.any():
        longest = float(limits[open_ones].max())
        near = open_ones & (limits > longest / _ROUGH)
        unit = _unit(costs, longest)
        upto = _upto(p, hit, costs, unit, longest)
        found[near] = np.minimum(upto[steps_of(limits[near], unit)], 1.0)
        open_ones &= ~near
    return found


def _unit(costs: Floats, longest: float, most_steps: float = MOST_STEPS) -> float:
    """The lattice of the costs up to `longest`, or a unit to split them by if there is none that is coarse enough."""
    costs = costs[costs <= raised(longest)]
    if not costs.size:
        return longest
    lattice = lattice_of(costs)
    if math.isfinite(lattice) and longest / lattice <= 1e6 and longest * float(costs.max()) / lattice**2 <= most_steps:
        return lattice
    unit = max(float(costs.mean()) / _FINEST, longest / _ACROSS, float(costs.max()) / _LARGEST)
    return unit * math.sqrt(max(1.0, longest * float(costs.max()) / unit**2 / most_steps))


def _upto(p: float, hit: NDArray[np.bool_], costs: Floats, unit: float, longest: float) -> Floats:
    """P(the first hit is paid for by cost s units), s from 0 to `longest` and no less."""
    hits, misses = (_split(part, unit, longest) for part in _parts(hit, costs))
    feedback = -(1 - p) * misses
    feedback[0] += 1
    start = np.zeros(math.ceil(longest / unit) + 1)
    start[0] = 1.0
    return np.asarray(np.cumsum(signal.lfilter(p * hits, feedback, start)), dtype=np.float64)


def _split(every: Floats, unit: float, longest: float) -> Floats:
    """The distribution of costs over multiples of `unit`, each cost split between its neighbours, its mean kept.

    Without those above `longest`: the probabilities of the others stay as they are.
    """
    costs = every[every <= raised(longest)]
    if not costs.size:
        return np.zeros(1)
    exact = costs / unit
    whole = np.floor(raised(exact))
    above = np.clip(exact - whole, 0.0, 1.0)
    above[above < 1e-6] = 0.0
    pmf = np.zeros(int(whole.max()) + 2)
    np.add.at(pmf, whole.astype(np.int64), (1 - above) / every.size)
    np.add.at(pmf, whole.astype(np.int64) + 1, above / every.size)
    return pmf
