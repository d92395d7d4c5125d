"""Tuning curves over a cost: the best score in hand for a given amount, each trial at its own price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.curves.best_so_far import best_at
from greenexp.analysis.curves.draft import Draft, groups_with_scores, prefix
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.over_cost import MEAN, CurveOverCost, curve_over_cost
from greenexp.analysis.curves.search_effort import search_effort
from greenexp.analysis.numbers.budgets import amount_text, amounts, within_reach
from greenexp.analysis.numbers.rounding import SHARE_ROUNDING
from greenexp.records.scores import ScoreGroup, Scores

COLUMNS = ["by", "budget", "trials", "estimator", "estimate", "nothing_finished", "simulation_error", "computed"]


def over_costs(scores: Scores, options: CurveOptions, draft: Draft) -> str:
    """Fill `draft` with the curves over the cost; why there are none, or ""."""
    groups = groups_with_scores(scores, draft)
    effort = search_effort(groups, options.estimator, mean_cost=options.mean_cost)
    labels = []
    for name, group in groups.items():
        total = float(group.costs.sum())
        kept, beyond = within_reach(
            options.budgets or amounts(float(group.costs.min()), total), total, str(scores.cost)
        )
        if beyond:
            paid = amount_text(str(scores.cost), total)
            draft.notes.append(f"{name} cost {paid} in all; nothing is known beyond, so {beyond} are left out")
        if not kept:
            continue
        budgets = np.array(kept)
        rng = np.random.default_rng(options.seed)
        curve = curve_over_cost(group.scores, group.costs, budgets, scores.minimize, rng, **effort)
        draft.add("curve", _rows(name, group, curve, scores, options))
        draft.verdict.append(_sentence(name, curve, total, scores))
        labels.append(curve.label)
    if not draft.rows:
        return "no group has a score, or paid as much as the smallest budget"
    draft.notes.append(f"{'; '.join(dict.fromkeys(labels))}; no band is known that holds for trials of unequal cost")
    if effort["statistic"] == MEAN and any((rows["nothing_finished"] > 0).any() for rows in draft.rows["curve"]):
        draft.notes.append(
            "the expected best is over the searches that have a score by then; these are first the searches that began "
            "with cheap trials, so it may fall as the budget grows"
        )
    what = "Expected best score" if options.of_mean else f"{options.statistic[0].upper()}{options.statistic[1:]}"
    best = "" if options.of_mean else " of the best score"
    draft.titles["curve"] = (
        f"{what}{best} in hand for a given {scores.cost}, and the probability that no trial has finished by then"
    )
    return ""


def _rows(name: str, group: ScoreGroup, curve: CurveOverCost, scores: Scores, options: CurveOptions) -> pd.DataFrame:
    rows = curve.table.rename(columns={"best": "estimate", "standard_error": "simulation_error"})
    rows["nothing_finished"] = rows["nothing_finished"].where(rows["nothing_finished"] > SHARE_ROUNDING, 0.0)
    rows = rows.assign(by=name, trials=len(group.frame), estimator=options.statistic, computed=curve.label)[COLUMNS]
    if options.best_so_far:
        spent = np.cumsum(group.costs)
        rows["best_so_far"] = best_at(group.scores, spent, rows["budget"], scores.minimize)
    return rows


def _sentence(name: str, curve: CurveOverCost, total: float, scores: Scores) -> str:
    """What to have in hand for the largest amount that is not yet nearly all that was paid."""
    table = curve.table
    row = table.iloc[max([place for place, budget in enumerate(table["budget"]) if 2 * budget <= total], default=0)]
    what = "the expected best score" if curve.statistic == MEAN else f"the {curve.statistic} of the best score"
    budget = f"{scores.cost} = {amount_text(str(scores.cost), float(row['budget']))}"
    of, best = prefix(scores, name), float(row["best"])
    nothing = float(row["nothing_finished"])
    if best != best:
        return f"{of}at {budget}, {100 * nothing:.0f} % of searches have no score yet."
    unfinished = f"; {100 * nothing:.2g} % of searches have no score by then" if nothing > SHARE_ROUNDING else ""
    return f"{of}at {budget}, {what} is {best:.4g}{unfinished}."
