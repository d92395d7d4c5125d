"""The tables of `greenexp compare --cost`: at equal cost, each trial at its own price."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.compare import compare_over_cost, crossings
from greenexp.analysis.curves.over_cost import MEAN
from greenexp.analysis.numbers.budgets import amounts
from greenexp.cli.compare_trials import named_pair, runs_of_leaders
from greenexp.cli.curve_over_costs import ROUNDING, process_of
from greenexp.cli.remarks import affordable, note
from greenexp.cli.score_tables import Floats, ScoreTable
from greenexp.errors import InputError

_LOOKED_AT = 60
_ERRORS = 3.0
_MOST_NOTHING = 0.01


def compare_costs(table: ScoreTable, asked: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """leaders, pairs and crossings; pairs at the budgets asked for or in equal ratios, the rest between too."""
    costs = {name: group.costs for name, group in table.groups.items() if group.scored.size and group.costs is not None}
    groups = {name: table.groups[name].scores for name in costs}
    for name in table.groups.keys() - groups.keys():
        note(f"{name} has no score at all")
    if len(groups) < 2:
        raise InputError("a comparison needs two groups with a score")
    shown, looked = _budgets(costs, asked["budgets"])
    process, statistic = process_of(asked["estimator"], mean_cost=False)
    rng = np.random.default_rng(asked["seed"])
    pairs, changes = [], []
    curves: dict[str, pd.Series[float]] = {}
    for a, b in itertools.combinations(groups, 2):
        found = compare_over_cost(
            groups[a],
            costs[a],
            groups[b],
            costs[b],
            looked,
            rng,
            estimator=process,
            statistic=statistic,
            minimize=table.minimize,
        )
        pairs.append(_shown(found[found["budget"].isin(shown)], a, b))
        if statistic == MEAN:
            found = _of_nearly_all(found)
        curves |= {a: found["curve_a"], b: found["curve_b"]}
        changes.append(named_pair(crossings(_beyond_simulation(found), table.minimize), a, b))
    if statistic == MEAN:
        note(
            "an expected best is over the searches that have something; where more than "
            f"{100 * _MOST_NOTHING:g} % of a group's have nothing, it is not ranked"
        )
    note("no band is known that holds for trials of unequal cost; having nothing yet is worse than any score")
    stacked = np.array([curves[name].to_numpy() for name in groups])
    return {
        "leaders": runs_of_leaders(stacked, list(groups), looked, table.minimize),
        "pairs": pd.concat(pairs, ignore_index=True),
        "crossings": pd.concat(changes, ignore_index=True),
    }


def _budgets(costs: dict[str, Floats], asked: tuple[float, ...] | None) -> tuple[tuple[float, ...], Floats]:
    """The budgets to show, up to what the group that paid least has paid, and those to look at besides."""
    totals = {name: float(paid.sum()) for name, paid in costs.items()}
    least = max(float(paid.min()) for paid in costs.values())
    poorest = min(totals, key=totals.__getitem__)
    most = totals[poorest]
    kept = affordable(poorest, asked or amounts(least, most), most, "cost")
    if not kept:
        raise InputError(f"--budgets: {poorest} cost {most:g} in all")
    shown = tuple(min(budget, most) for budget in kept)
    between = np.minimum(np.geomspace(min(least, shown[0]), most, _LOOKED_AT), most)
    return shown, np.unique(np.concatenate((between, shown)))


def _shown(found: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    rows = found.rename(columns={"standard_error": "simulation_error"})
    for column in ("nothing_a", "nothing_b", "probability_better"):
        rows[column] = rows[column].where(rows[column] > ROUNDING, 0.0)
    rows.insert(0, "a", a)
    rows.insert(1, "b", b)
    return rows


def _of_nearly_all(found: pd.DataFrame) -> pd.DataFrame:
    """Without expected bests of few searches: those that have something early hold what is cheap, and are the lucky."""
    curves = {f"curve_{side}": found[f"curve_{side}"].where(found[f"nothing_{side}"] <= _MOST_NOTHING) for side in "ab"}
    return found.assign(**curves, difference=curves["curve_a"] - curves["curve_b"])


def _beyond_simulation(found: pd.DataFrame) -> pd.DataFrame:
    """Differences that the simulation alone could make are taken for none."""
    sure = found["difference"].abs() > _ERRORS * found["standard_error"]
    return found.assign(difference=found["difference"].where(sure, 0.0))
