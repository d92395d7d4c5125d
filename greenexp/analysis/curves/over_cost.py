"""Best score in hand over what was paid for it: tuning curves whose axis is a cost, for trials that cost unequally.

A random search of N trials with costs c_i and scores y_i is continued, or replayed, as a renewal process: trials come
one after the other until the budget b is spent, and count once they are paid for in full. A trial that crashed costs
what it cost and scores nothing. The curve is the mean (or a quantile) of the best score in hand at b; P(nothing
finished) stands beside it, and the mean is over the searches that have something.

    without_replacement  the sweep's own trials in another random order: the analogue of U over trials, and equal to it
                         where all trials cost the same. P(best > y within b) is then estimated without bias as long as
                         no N trials fit into b, as a U-statistic: what is in hand at b depends on the first trials
                         only, up to the one that no longer fits. It ends at the best score at the sweep's own cost.
    with_replacement     the process that draws from the observed (cost, score) pairs for ever: the analogue of V. It
                         never runs out of trials, but a trial may repeat, so it lies a little low.
    mean_cost            U at n = floor(b / mean cost), as others put it on the axis. Wrong where costs vary: n trials
                         cost b only on average, and searches with little money hold what is cheap. For comparison only.

Exact where that can be had (`analysis.curves.renewal`): equal costs, costs on a lattice, few trials. Else simulated
from `orders` random searches, with the simulation's standard error. That error says how well the estimate was computed,
and not how far it is from the truth with so few trials, which on this axis no exact band is known for.

Assumptions: pairs (cost, score) are independent draws from one distribution, trials run one after the other to their
end. Source: renewal reward processes; mean_cost: Dodge et al. 2019, "Show Your Work", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from greenexp.analysis.curves import renewal
from greenexp.analysis.curves.best_distribution import BestDistribution
from greenexp.analysis.curves.tuning_curve import Estimator, maximum_weights, quantile_level
from greenexp.analysis.numbers.rounding import COST_ROUNDING, raised
from greenexp.errors import did_you_mean
from greenexp.records.arrays import Floats

Integers = NDArray[np.int64]
Process = Literal["without_replacement", "with_replacement", "mean_cost"]
PROCESSES: tuple[Process, ...] = get_args(Process)
MEAN = "mean"
COST_CURVE_COLUMNS = ("budget", "best", "nothing_finished", "standard_error")
ORDERS = 10_000


@dataclass(frozen=True, eq=False)
class CurveOverCost:
    """A curve over cost and how it was computed.

    table: budget (in the costs' unit), best (the statistic, in the scores' unit; NaN where nothing is in hand),
        nothing_finished (0 to 1), standard_error (of the simulation; 0 where exact)
    distribution: what the table is read from; estimator: one of PROCESSES; statistic: `mean` or `quantile q`
    """

    table: pd.DataFrame
    distribution: BestDistribution
    estimator: Process
    statistic: str

    @property
    def label(self) -> str:
        """How the curve was computed, in words for a legend or a footnote."""
        made = self.distribution
        if self.estimator == "mean_cost":
            return "n x mean cost (wrong where costs vary)"
        if made.orders:
            return f"renewal {self.estimator.replace('_', ' ')}, {made.orders} simulated searches"
        on = f" on a lattice of {made.lattice:g}" if made.method == "lattice" else ""
        return f"renewal {self.estimator.replace('_', ' ')}, exact{on}"


def curve_over_cost(
    scores: ArrayLike,
    costs: ArrayLike,
    budgets: ArrayLike,
    minimize: bool = False,
    rng: np.random.Generator | None = None,
    *,
    estimator: Process = "without_replacement",
    statistic: str | float = MEAN,
    orders: int = ORDERS,
    most_steps: float = renewal.MOST_STEPS,
) -> CurveOverCost:
    """Best score in hand at each budget of a cost axis, see the module.

    scores: [N], finite, or NaN for a trial that crashed; costs: [N], finite, > 0, of the same trials; budgets: [B],
    from 0 to the sum of the costs, in their unit. statistic: `mean`, `median`, or a number q in (0, 1).
    rng: only used, and then needed, where no exact form applies; orders: how many searches are simulated then;
    most_steps: multiplications that an exact form may take.
    Raises ValueError for anything else, and for a budget beyond what the sweep itself cost, about which it knows
    nothing.
    """
    level = None if statistic == MEAN else quantile_level(statistic)
    if level is None and statistic != MEAN:
        raise ValueError(f"statistic must be mean, median or a number between 0 and 1, received {statistic!r}")
    found = best_over_cost(
        scores, costs, budgets, minimize, rng, estimator=estimator, orders=orders, most_steps=most_steps
    )
    columns = (found.budgets, found.statistic(level), found.nothing_finished, found.standard_error(level))
    table = pd.DataFrame(dict(zip(COST_CURVE_COLUMNS, columns, strict=True)))
    return CurveOverCost(table, found, estimator, MEAN if level is None else f"quantile {level:g}")


def best_over_cost(
    scores: ArrayLike,
    costs: ArrayLike,
    budgets: ArrayLike,
    minimize: bool = False,
    rng: np.random.Generator | None = None,
    *,
    estimator: Process = "without_replacement",
    orders: int = ORDERS,
    most_steps: float = renewal.MOST_STEPS,
) -> BestDistribution:
    """The distribution of the best score in hand at each budget; arguments and errors as in `curve_over_cost`."""
    values, prices, limits = _checked(scores, costs, budgets)
    if estimator not in PROCESSES:
        near = did_you_mean(str(estimator), PROCESSES)
        raise ValueError(f"unknown estimator '{estimator}'{near} (known: {', '.join(PROCESSES)})")
    sign = -1.0 if minimize else 1.0
    distinct, ranks = ranked(sign * values)
    replacement = estimator == "with_replacement"
    mean = float(prices.mean())
    if estimator == "mean_cost" or np.ptp(prices) <= mean * COST_ROUNDING:
        sizes = np.minimum(renewal.steps_of(limits, mean), values.size)
        table = _of_equal_costs(ranks, sizes, "biased" if replacement else "unbiased")
        method = "mean_cost" if estimator == "mean_cost" else "equal_costs"
        return BestDistribution(limits, sign * distinct, table, minimize, method)
    unit = renewal.lattice_of(prices)
    if np.isfinite(unit):
        steps, ends = renewal.steps_of(prices, unit), renewal.steps_of(limits, unit)
        if renewal.feasible(ranks, steps, int(ends.max(initial=0)), replacement, most_steps):
            table = renewal.on_lattice(ranks, steps, ends, replacement)
            return BestDistribution(limits, sign * distinct, table, minimize, "lattice", unit)
    if not replacement and values.size <= renewal.FEW:
        table = renewal.of_subsets(ranks, prices, limits)
        return BestDistribution(limits, sign * distinct, table, minimize, "all_subsets")
    if rng is None or orders < 2:
        raise ValueError("these costs allow no exact curve: give rng and at least 2 orders, to simulate searches")
    table = renewal.simulated(ranks, prices, limits, replacement, orders, rng)
    return BestDistribution(limits, sign * distinct, table, minimize, "simulation", orders=orders)


def ranked(values: Floats) -> tuple[Floats, Integers]:
    """Distinct scores, ascending, and each trial's place among them from 1 on, 0 for NaN."""
    distinct, ranks = np.unique(values[~np.isnan(values)], return_inverse=True)
    places = np.zeros(values.size, dtype=np.int64)
    places[~np.isnan(values)] = ranks + 1
    return distinct, places


def _of_equal_costs(ranks: Integers, sizes: Integers, estimator: Estimator) -> Floats:
    """P(rank of the best of n trials), [B, Y + 1], by the weights of U or V; nothing in hand for n = 0."""
    descending = np.sort(ranks)[::-1]
    table = np.zeros((sizes.size, int(ranks.max()) + 1))
    for row, n in enumerate(sizes):
        if n:
            weights = maximum_weights(ranks.size, int(n), estimator)
            table[row] = np.bincount(descending[: weights.size], weights=weights, minlength=table.shape[1])
        else:
            table[row, 0] = 1.0
    return table


def _checked(scores: ArrayLike, costs: ArrayLike, budgets: ArrayLike) -> tuple[Floats, Floats, Floats]:
    values, prices, limits = (np.asarray(given, dtype=np.float64) for given in (scores, costs, budgets))
    if values.ndim != 1 or values.size == 0 or np.isinf(values).any():
        raise ValueError("scores must be a list of at least one number, finite or NaN for a trial without a score")
    if prices.shape != values.shape or not (np.isfinite(prices) & (prices > 0)).all():
        raise ValueError("costs must be as many as the scores, finite and above 0: a crashed trial has its cost too")
    if limits.ndim != 1 or not (np.isfinite(limits) & (limits >= 0)).all():
        raise ValueError("budgets must be a list of finite numbers, none below 0")
    total = float(prices.sum())
    if limits.size and limits.max() > raised(total):
        raise ValueError(
            f"budgets must not exceed {total:g}, which is what all trials together cost; received {limits.max():g}: "
            "nothing is known about more than was paid for"
        )
    return values, prices, limits
