"""The tables about each group by itself: its front, hypervolume, hypervolume over trials, attainment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.fronts.attainment import attainment
from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
from greenexp.analysis.fronts.pareto import hypervolume, pareto_front
from greenexp.analysis.fronts.point_scores import Reference, complete, own_fronts, values_of
from greenexp.analysis.numbers.budgets import round_numbers, within_reach
from greenexp.records.scores import COST, GROUP, SCORE, TRIAL, Scores

BY = "by"
"""The column that names the group in every table."""


def front_table(scores: Scores) -> pd.DataFrame:
    """by, trial, cost, score, labels, on_front_of_all: the points on the front of their group, cheapest first."""
    everywhere = pareto_front(values_of(scores.frame), scores.directions)
    rows = scores.frame.assign(on_front_of_all=everywhere)
    parts = [
        group[pareto_front(values_of(group), scores.directions)].sort_values(COST, kind="stable")
        for _, group in rows.groupby(GROUP, sort=False)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table[[GROUP, TRIAL, COST, SCORE, *scores.labels, "on_front_of_all"]].rename(columns={GROUP: BY})


def hypervolume_table(scores: Scores, reference: Reference) -> pd.DataFrame:
    """by, trials, rows, points (rows with both numbers), on_front (distinct places), hypervolume."""
    rows = []
    for name, group in scores.frame.groupby(GROUP, sort=False):
        values = values_of(group)
        on_front = values[pareto_front(values, scores.directions)]
        rows.append(
            {
                BY: str(name),
                "trials": group[TRIAL].nunique(),
                "rows": len(group),
                "points": len(complete(group)),
                "on_front": len(np.unique(on_front, axis=0)),
                "hypervolume": hypervolume(values, reference, scores.directions),
            }
        )
    return pd.DataFrame(rows)


def expected_hypervolume_table(
    scores: Scores, reference: Reference, budgets: tuple[float, ...] | None
) -> tuple[pd.DataFrame, list[str]]:
    """by, trials, n, expected_hypervolume of the front of n trials, and notes; no rows where it has no meaning.

    Of a sweep it is taken for each seed over its configurations, then averaged over seeds: seeds are no draws of the
    search.
    """
    empty = pd.DataFrame(columns=[BY, "trials", "n", "expected_hypervolume"])
    if scores.not_random:
        return empty, [f"there is no expected hypervolume over trials: {scores.not_random}"]
    frames, notes, seeds = [], [], list(scores.seeds)
    for name, group in scores.frame.groupby(GROUP, sort=False):
        parts = [rows for _, rows in group.groupby(seeds, sort=True)] if seeds else [group]
        fronts = [own_fronts(scores, rows) for rows in parts]
        total = min(rows[TRIAL].nunique() for rows in fronts)
        if total == 1:
            notes.append(f"{name}: there is one trial, so there is no front over the number of trials")
            continue
        kept, beyond = within_reach(budgets or round_numbers(total), total)
        if beyond:
            notes.append(f"{name} has {total} trials, and nothing is known beyond: {beyond} trials are left out")
        if not kept:
            continue
        n = np.array(kept, dtype=np.int64)
        each = [
            expected_hypervolume(values_of(rows), n, reference, "unbiased", scores.directions, rows[TRIAL].tolist())
            for rows in fronts
        ]
        mean = np.mean(each, axis=0)
        frames.append(pd.DataFrame({BY: str(name), "trials": total, "n": n, "expected_hypervolume": mean}))
    if not frames:
        return empty, notes
    several = len(scores.frame[seeds].drop_duplicates()) if seeds else 1
    over = f"configurations, the mean of the curves of {several} seeds" if several > 1 else "trials"
    notes.append(
        f"the expected hypervolume is over {over}, taken for independent draws from one distribution, each trained to "
        "its end; a trial without a point adds nothing; there is no band, as none is known that holds"
    )
    return pd.concat(frames, ignore_index=True), notes


def attainment_table(scores: Scores, levels: tuple[float, ...]) -> tuple[pd.DataFrame, list[str]]:
    """by, level, attained_by, trials, cost, score: corners of the curves that shares of the trials attain; notes."""
    frames, notes = [], []
    for name, group in scores.frame.groupby(GROUP, sort=False):
        rows = own_fronts(scores, group)
        total = rows[TRIAL].nunique()
        if total == 1:
            continue
        curves = attainment(values_of(rows), rows[TRIAL].tolist(), levels, scores.directions)
        curves = curves.set_axis(["level", "attained_by", COST, SCORE], axis=1)
        notes += [
            f"{name}: no place is attained by {100 * level:g} % of {total} trials: not enough of them have a point"
            for level in levels
            if not (curves["level"] == level).any()
        ]
        curves.insert(2, "trials", total)
        curves.insert(0, BY, str(name))
        frames.append(curves)
    columns = [BY, "level", "attained_by", "trials", COST, SCORE]
    return (pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)), notes
