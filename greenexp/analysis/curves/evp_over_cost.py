"""Expected best score for a given cost, by renewal resampling.

A random search draws configurations one after the other until its budget is spent. Replayed with the configurations of
the sweep in a random order pi: after k of them it has paid S_k = c_pi(1) + ... + c_pi(k), where c is what all seeds of
a configuration cost, and has in hand the best y_pi(i) of those it has paid for in full. For a budget b

    E(b) = mean over orders of max {y_pi(1), ..., y_pi(k)},  k the largest with S_k <= b,

over the orders with k >= 1; the share of the others, which have nothing in hand, is given beside it. Orders are drawn
without replacement, so budgets end at the sweep's own cost, where E is its best score. (n x mean cost, which others put
on the axis, is wrong where costs vary: cheap configurations come first to whoever has little.)

Assumptions: configurations were drawn independently from one distribution (random search), each trained to its end, one
after the other; what a configuration costs does not depend on the others. So nothing may have been stopped, have failed
or be under way. For small budgets E is over the searches that finish something, hence over cheap configurations.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.curves.best_so_far import not_measured
from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.numbers.rounding import raised
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.arrays import Floats
from greenexp.records.tables import SweepTables

COST_COLUMNS = ("cost", "expected_best", "nothing_finished")
REPEATS = 2000
POINTS = 60


@dataclass(frozen=True)
class ExpectedOverCost:
    """The curve of a sweep on one axis, or the reason why there is none.

    curve: cost (in the axis's unit), expected_best (of searches that finished a configuration), nothing_finished (share
    of those that did not, 0 to 1); empty if refused. orders: how many were drawn
    """

    axis: str
    curve: pd.DataFrame
    refusal: str
    orders: int = REPEATS


def expected_over_cost(tables: SweepTables, axis: str, rng: np.random.Generator | None = None) -> ExpectedOverCost:
    """Expected best score over cost on `axis` (a summed one of records/axes.py), see the module.

    rng: draws the orders; if None, one seeded by the sweep's fingerprint, so that a report is the same each time
    """
    refusal = refusal_over_cost(tables, axis)
    if refusal:
        return ExpectedOverCost(axis, pd.DataFrame(columns=list(COST_COLUMNS)), refusal)
    if rng is None:
        rng = np.random.default_rng(zlib.crc32(tables.history.fingerprint.encode()))
    groups = tables.trials.groupby("configuration", sort=False)
    scores, costs = groups["score"].mean().to_numpy(), groups[axis].sum().to_numpy()
    budgets = np.linspace(costs.min(), costs.sum(), POINTS if len(costs) > 1 else 1)
    best, nothing = best_within(scores, costs, budgets, minimize=metric_of(tables).minimize, rng=rng)
    frame = pd.DataFrame(dict(zip(COST_COLUMNS, (budgets, best, nothing), strict=True)))
    return ExpectedOverCost(axis, frame, "")


def best_within(
    scores: ArrayLike, costs: ArrayLike, budgets: ArrayLike, *, minimize: bool, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Expected best score of what `REPEATS` random orders finish within each budget, and the share that finish nothing.

    scores, costs: [N], finite, costs > 0; budgets: [B], in the costs' unit; results: [B]. The expected best is NaN
    where no order finishes anything.
    """
    values = np.asarray(scores, dtype=np.float64) * (-1.0 if minimize else 1.0)
    # A sum of all costs in another order may differ in its last bits, and must still fit into the budget of all.
    prices, limits = np.asarray(costs, dtype=np.float64), raised(np.asarray(budgets, dtype=np.float64))
    total, finished = np.zeros(limits.size), np.zeros(limits.size)
    for _ in range(REPEATS):
        order = rng.permutation(values.size)
        in_hand = np.maximum.accumulate(values[order])
        count = np.searchsorted(np.cumsum(prices[order]), limits, side="right")
        total += np.where(count > 0, in_hand[np.maximum(count, 1) - 1], 0.0)
        finished += count > 0
    mean = np.divide(total, finished, out=np.full(limits.size, np.nan), where=finished > 0)
    return (-mean if minimize else mean), 1 - finished / REPEATS


def refusal_over_cost(tables: SweepTables, axis: str, *, within: str | None = None) -> str:
    """Why there is no curve over cost on `axis`, or an empty string. within: as of `expected_best`."""
    over_configurations = expected_best(tables, within=within).refusal
    if over_configurations:
        return over_configurations
    status = tables.trials["status"]
    stopped, failed = int((status == "stopped").sum()), int((status == "failed").sum())
    if stopped:
        return (
            f"{stopped} of {len(status)} trials were stopped early, and then what a configuration costs depends on the "
            "others"
        )
    left = int((status != "finished").sum()) - failed
    if failed or left:
        parts = [f"{failed} of {len(status)} trials failed"] if failed else []
        parts += [f"{left} of {len(status)} trials have not ended"] if left else []
        return f"{' and '.join(parts)}, and what their configurations cost in full is not known"
    missing = not_measured(tables, axis)
    if missing or tables.trials[axis].isna().any():
        return missing or f"{axis} was not measured of every trial"
    return "" if (tables.trials[axis] > 0).all() else f"some trial cost nothing on the axis {axis}"
