"""The rows of `greenexp curve --cost`: the best score in hand for so much, each trial at its own price."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.curves.over_cost import MEAN, Process, curve_over_cost
from greenexp.analysis.numbers.budgets import amounts
from greenexp.cli.curve_beside import incumbent_at
from greenexp.cli.remarks import affordable, left_out, note
from greenexp.cli.score_tables import ScoreTable
from greenexp.errors import InputError

ROUNDING = 1e-12
"""A sum of probabilities may miss 0 by as much."""


def process_of(estimator: str | float, mean_cost: bool) -> tuple[Process, str | float]:
    """(process, statistic) of `analysis.curves.over_cost` for an estimator of the command line."""
    if mean_cost:
        return "mean_cost", MEAN if estimator in {"unbiased", "biased"} else estimator
    if estimator == "biased":
        return "with_replacement", MEAN
    return "without_replacement", MEAN if estimator == "unbiased" else estimator


def over_costs(table: ScoreTable, asked: dict[str, Any]) -> pd.DataFrame:
    """A row per group and budget: by, budget, estimate, nothing_finished, simulation_error and how it was computed."""
    process, statistic = process_of(asked["estimator"], asked["mean_cost"])
    left_out(table, costs=True)
    frames, computed = [], []
    for name, group in table.groups.items():
        if group.costs is None or not group.scored.size:
            note(f"{name} has no score at all")
            continue
        total = float(group.costs.sum())
        kept = affordable(name, asked["budgets"] or amounts(float(group.costs.min()), total), total, "cost")
        if not kept:
            continue
        rng = np.random.default_rng(asked["seed"])
        found = curve_over_cost(
            group.scores, group.costs, np.array(kept), table.minimize, rng, estimator=process, statistic=statistic
        )
        rows = found.table.rename(columns={"best": "estimate", "standard_error": "simulation_error"})
        rows["nothing_finished"] = rows["nothing_finished"].where(rows["nothing_finished"] > ROUNDING, 0.0)
        estimator = asked["estimator"]
        named = estimator if isinstance(estimator, str) else f"quantile {estimator:g}"
        if asked["incumbent"]:
            rows["incumbent"] = incumbent_at(group.scores, group.costs, np.array(kept), table.minimize)
        frames.append(rows.assign(by=name, trials=group.scores.size, estimator=named, computed=found.label))
        computed.append(found.label)
    if not frames:
        raise InputError("no group has a score, or paid as much as the smallest budget")
    frame = pd.concat(frames, ignore_index=True)
    note(f"{'; '.join(dict.fromkeys(computed))}; no band is known that holds for trials of unequal cost")
    if statistic == MEAN and (frame["nothing_finished"] > 0).any():
        note(
            "the expected best is over the searches that have a score by then: first those that began with cheap "
            "trials, so it may fall as the budget grows"
        )
    first = ["by", "budget", "trials", "estimator", "estimate", "nothing_finished", "simulation_error", "computed"]
    return frame[[*first, *(["incumbent"] if asked["incumbent"] else [])]]
