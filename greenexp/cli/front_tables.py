"""The tables of `greenexp front` about each group by itself: front, hypervolume, over trials, attainment."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from greenexp.analysis.fronts.attainment import attainment
from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
from greenexp.analysis.fronts.pareto import hypervolume, pareto_front
from greenexp.cli.budgets import round_numbers
from greenexp.cli.front_points import PointTable, values_of
from greenexp.cli.remarks import affordable, note, warn
from greenexp.errors import InputError

Reference = tuple[float, float]
"""Cost, score: the order of the columns of points."""


def reference_of(table: PointTable, given: tuple[float, float] | None) -> Reference:
    """The worst corner: `given` (score, cost), or the worst cost and the worst score of all points."""
    points = table.complete(table.frame)
    if points.empty:
        raise InputError("no row has both a score and a cost")
    if given is None:
        worst = points["score"].max() if table.minimize else points["score"].min()
        note(
            "the reference of hypervolumes is the worst score and the highest cost seen, so points with either add "
            "nothing, and other points would move it: --reference SCORE,COST sets it"
        )
        return float(points["cost"].max()), float(worst)
    score, cost = given
    better = points["score"] < score if table.minimize else points["score"] > score
    inside = int((better & (points["cost"] < cost)).sum())
    if not inside:
        warn("no point is better than the reference in both score and cost: all hypervolumes are 0")
    elif inside < len(points):
        note(f"{len(points) - inside} of {len(points)} points are not better than the reference and add no hypervolume")
    return cost, score


def fronts(table: PointTable) -> pd.DataFrame:
    """The points on the front of their group, cheapest first: by, trial, cost, score, labels, on_front_of_all."""
    everywhere = table.frame.assign(on_front_of_all=pareto_front(values_of(table.frame), table.directions))
    parts = [
        rows[pareto_front(values_of(rows), table.directions)].sort_values("cost", kind="stable")
        for _, rows in everywhere.groupby("by", sort=False)
    ]
    found = pd.concat(parts, ignore_index=True)
    return found[["by", "trial", "cost", "score", *table.labels, "on_front_of_all"]]


def volumes(table: PointTable, reference: Reference) -> pd.DataFrame:
    """Of each group: trials, rows, points (rows with both numbers), on_front (distinct), hypervolume."""
    rows = []
    for name, group in table.groups.items():
        values = values_of(group)
        on_front = values[pareto_front(values, table.directions)]
        rows.append(
            {
                "by": name,
                "trials": group["trial"].nunique(),
                "rows": len(group),
                "points": len(table.complete(group)),
                "on_front": len(np.unique(on_front, axis=0)),
                "hypervolume": hypervolume(values, reference, table.directions),
            }
        )
    return pd.DataFrame(rows)


def own_fronts(table: PointTable, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows on the front of their own trial, each place once; of a trial without a point one row of NaN.

    No other row adds to what several trials dominate or attain.
    """
    parts = []
    for _, group in rows.groupby("trial", sort=False):
        kept = group[pareto_front(values_of(group), table.directions)].drop_duplicates(["cost", "score"])
        parts.append(kept if len(kept) else group.head(1).assign(cost=math.nan, score=math.nan))
    return pd.concat(parts, ignore_index=True)


def over_trials(table: PointTable, reference: Reference, budgets: tuple[float, ...] | None) -> pd.DataFrame:
    """Expected hypervolume of the front of n trials: by, trials, n, expected_hypervolume; empty where not legitimate.

    Of a sweep, for each seed over its configurations, and the mean of these: seeds are no draws of the search.
    """
    if budgets is not None and any(budget != int(budget) for budget in budgets):
        raise InputError("--budgets: expected whole numbers of trials")
    empty = pd.DataFrame(columns=["by", "trials", "n", "expected_hypervolume"])
    if table.no_search:
        note(f"no expected hypervolume over trials: {table.no_search}")
        return empty
    frames = []
    for name, group in table.groups.items():
        seeds = [own_fronts(table, rows) for _, rows in group.groupby("seed", sort=True)]
        total = min(rows["trial"].nunique() for rows in seeds)
        if total < 2:
            note(f"{name}: one trial, and so no front over the number of trials")
            continue
        kept = affordable(name, budgets or round_numbers(total), total, "has so many trials:")
        n = np.array(kept, dtype=np.int64)
        if not n.size:
            continue
        each = [
            expected_hypervolume(values_of(rows), n, reference, "unbiased", table.directions, rows["trial"].tolist())
            for rows in seeds
        ]
        frames.append(
            pd.DataFrame({"by": name, "trials": total, "n": n, "expected_hypervolume": np.mean(each, axis=0)})
        )
    if not frames:
        return empty
    several = table.frame["seed"].nunique()
    over = f"configurations, the mean of {several} seeds' curves" if several > 1 else "trials"
    note(
        f"expected hypervolume: over {over}, taken for independent draws from one distribution, each trained to its "
        "end; a trial without a point adds nothing; no band is known that holds"
    )
    return pd.concat(frames, ignore_index=True)


def attained(table: PointTable, levels: tuple[float, ...]) -> pd.DataFrame:
    """Corners of the curves that shares of the trials attain: by, level, attained_by, trials, cost, score."""
    frames = []
    for name, group in table.groups.items():
        rows = own_fronts(table, group)
        total = rows["trial"].nunique()
        if total < 2:
            continue
        found = attainment(values_of(rows), rows["trial"].tolist(), levels, table.directions)
        found = found.set_axis(["level", "attained_by", "cost", "score"], axis=1)
        for level in levels:
            if not (found["level"] == level).any():
                note(f"{name}: no place is attained by {100 * level:g} % of {total} trials: too few have a point")
        found.insert(2, "trials", total)
        found.insert(0, "by", name)
        frames.append(found)
    if not frames:
        return pd.DataFrame(columns=["by", "level", "attained_by", "trials", "cost", "score"])
    return pd.concat(frames, ignore_index=True)
