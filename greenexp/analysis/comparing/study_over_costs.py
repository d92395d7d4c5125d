"""Groups at equal cost, each trial at its own price: curves, and the probability that one has the better score."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.compare import crossings, difference_over_cost
from greenexp.analysis.comparing.options import ComparisonOptions
from greenexp.analysis.comparing.pairs import compared_groups, named_pair, runs_of_leaders, top_two
from greenexp.analysis.comparing.verdict import leader_sentence
from greenexp.analysis.curves.draft import Draft
from greenexp.analysis.curves.over_cost import MEAN, CurveOverCost, curve_over_cost
from greenexp.analysis.curves.search_effort import search_effort
from greenexp.analysis.numbers.budgets import amount_text, amounts, within_reach
from greenexp.analysis.numbers.rounding import SHARE_ROUNDING
from greenexp.errors import InputError
from greenexp.records.arrays import Floats
from greenexp.records.scores import ScoreGroup, Scores

LOOKED_AT = 60
_ERRORS = 3.0
"""Errors of the simulation up to which a difference is taken for none."""
_MOST_NOTHING = 0.01
_MOST_SENTENCES = 3


def compare_costs(groups: Mapping[str, ScoreGroup], scores: Scores, options: ComparisonOptions, draft: Draft) -> None:
    """Fill `draft` with the comparison; InputError if no group paid as much as the smallest budget."""
    shown, grid = _budgets(groups, options, draft, str(scores.cost))
    looked = np.unique(np.concatenate((grid, shown)))
    effort = search_effort(groups, options.estimator)
    # The same seed for every group, so that a group has one curve, whatever it is compared with.
    curves = {
        name: curve_over_cost(
            group.scores, group.costs, looked, scores.minimize, np.random.default_rng(options.seed), **effort
        )
        for name, group in groups.items()
    }
    estimates = {name: _of_nearly_all(curve) for name, curve in curves.items()}
    always = np.isin(looked, grid)  # who leads is one answer, whichever budgets are named
    rows = np.array([estimate[always] for estimate in estimates.values()])
    leaders = runs_of_leaders(rows, list(curves), looked[always], scores.minimize)
    values = {name: group.scores for name, group in groups.items()}
    kept = compared_groups(values, scores.minimize, draft)
    draft.add("leaders", leaders)
    draft.verdict.append(leader_sentence(leaders, f"by the {options.statistic} score in hand", str(scores.cost)))
    pairs = []
    for a, b in itertools.combinations(kept, 2):
        table = difference_over_cost(curves[a], curves[b])
        pairs.append(_shown(table[table["budget"].isin(shown)], a, b))
        sure = _beyond_simulation(table.assign(difference=estimates[a] - estimates[b]))
        draft.add("crossings", named_pair(crossings(sure, scores.minimize), a, b))
    draft.add("pairs", pd.concat(pairs, ignore_index=True))
    for name, curve in curves.items():
        draft.add("curves", pd.DataFrame({"by": name, "budget": looked, "estimate": curve.table["best"]}))
    draft.verdict += _probabilities(draft.rows["pairs"][0], shown, top_two(kept, scores.minimize), scores)
    draft.notes += _notes(curves)
    draft.titles |= _titles(scores, options)


def _budgets(
    groups: Mapping[str, ScoreGroup], options: ComparisonOptions, draft: Draft, cost: str
) -> tuple[tuple[float, ...], Floats]:
    """The budgets to show, up to what the group that paid least has paid, and those at which leaders are looked for."""
    totals = {name: float(group.costs.sum()) for name, group in groups.items()}
    least = max(float(group.costs.min()) for group in groups.values())
    poorest = min(totals, key=totals.__getitem__)
    most = totals[poorest]
    total = amount_text(cost, most)
    kept, beyond = within_reach(options.budgets or amounts(least, most), most, cost)
    if not kept:
        raise InputError(f"budgets: {poorest} cost {total} in all, and nothing is known beyond: name less")
    if beyond:
        draft.notes.append(f"{poorest} cost {total} in all; nothing is known beyond, so {beyond} are left out")
    shown = tuple(min(budget, most) for budget in kept)
    return shown, np.unique(np.minimum(np.geomspace(min(least, most), most, LOOKED_AT), most))


def _shown(table: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    rows = table.rename(columns={"standard_error": "simulation_error"})
    for column in ("nothing_a", "nothing_b", "probability_better"):
        rows[column] = rows[column].where(rows[column] > SHARE_ROUNDING, 0.0)
    rows.insert(0, "a", a)
    rows.insert(1, "b", b)
    return rows


def _of_nearly_all(curve: CurveOverCost) -> Floats:
    """Without expected bests of few searches: those that have something early hold what is cheap, and are the lucky."""
    table = curve.table
    keep = (table["nothing_finished"] <= _MOST_NOTHING) | (curve.statistic != MEAN)
    return table["best"].where(keep).to_numpy(dtype=np.float64)


def _beyond_simulation(table: pd.DataFrame) -> pd.DataFrame:
    """Differences that the simulation alone could make are taken for none."""
    sure = table["difference"].abs() > _ERRORS * table["standard_error"]
    return table.assign(difference=table["difference"].where(sure, 0.0))


def _probabilities(pairs: pd.DataFrame, shown: tuple[float, ...], top: tuple[str, str], scores: Scores) -> list[str]:
    """How often the one of the two best groups has the better score, at a few of the budgets shown."""
    rows = pairs[pairs["a"].isin(top) & pairs["b"].isin(top)]
    places = sorted({0, len(shown) // 2, len(shown) - 1})[:_MOST_SENTENCES]
    a, b = str(rows["a"].iloc[0]), str(rows["b"].iloc[0])
    better, budgets, cost = rows["probability_better"].tolist(), rows["budget"].tolist(), str(scores.cost)
    parts = [f"{better[place]:.2f} at {cost} = {amount_text(cost, budgets[place])}" for place in places]
    return [
        f"Probability that a search of {a} has a better score than one of {b}: {', '.join(parts)}.",
        "No band or test is known for trials of unequal cost, so these are estimates.",
    ]


def _notes(curves: Mapping[str, CurveOverCost]) -> list[str]:
    labels: dict[str, list[str]] = {}
    for name, curve in curves.items():
        labels.setdefault(curve.label, []).append(name)
    notes = [f"{label}: {', '.join(names)}" for label, names in labels.items()]
    if any(curve.statistic == MEAN for curve in curves.values()):
        notes.append(
            "an expected best is over the searches that have a score; a group of which more than "
            f"{100 * _MOST_NOTHING:g} % of the searches have none is not ranked"
        )
    return [*notes, "having no score yet is worse than any score"]


def _titles(scores: Scores, options: ComparisonOptions) -> dict[str, str]:
    statistic = f"{options.statistic} score in hand"
    return {
        "leaders": f"The group with the best estimate ({statistic}), at every {scores.cost} looked at",
        "pairs": f"Pairs of groups at equal {scores.cost}: difference of the {statistic} (a - b) and P(a better)",
        "crossings": "Where the estimates change places",
        "curves": f"{statistic[0].upper()}{statistic[1:]}, group by group",
    }
