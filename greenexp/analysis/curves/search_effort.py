"""How much is computed for curves over a cost, so that many groups take no longer than a few.

Exact forms take up to `renewal.MOST_STEPS` multiplications for a group, and simulations `over_cost.ORDERS` searches. Of
more than a few groups, or of very many trials, each gets its part of what all may take together; a curve that is then
simulated instead of computed exactly, or from fewer searches, says so in its label, with the simulation's error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from greenexp.analysis.curves.over_cost import MEAN, ORDERS, Process
from greenexp.analysis.curves.renewal import MOST_STEPS
from greenexp.records.scores import ScoreGroup

STEPS_OF_ALL = 4 * MOST_STEPS
SEARCHES_OF_ALL = 80_000
DRAWS_OF_ALL = 100_000_000
"""Multiplications, simulated searches, and trials drawn in them, of all groups together."""
LEAST_SEARCHES = 500


class SearchEffort(TypedDict):
    """Arguments of `curve_over_cost`."""

    estimator: Process
    statistic: str | float
    orders: int
    most_steps: float


def search_effort(groups: Mapping[str, ScoreGroup], estimator: str | float, *, mean_cost: bool = False) -> SearchEffort:
    """What to compute for each of `groups`, and with how much effort.

    estimator: `unbiased` or `biased`, the expected best without or with replacement, or a quantile of the best
    """
    statistic = MEAN if estimator in {"unbiased", "biased"} else estimator
    process: Process = "with_replacement" if estimator == "biased" else "without_replacement"
    trials = sum(len(group.frame) for group in groups.values())
    number = max(1, len(groups))
    orders = min(ORDERS, SEARCHES_OF_ALL // number, DRAWS_OF_ALL // max(1, trials))
    return {
        "estimator": "mean_cost" if mean_cost else process,
        "statistic": statistic,
        "orders": max(LEAST_SEARCHES, orders),
        "most_steps": min(MOST_STEPS, STEPS_OF_ALL / number),
    }
