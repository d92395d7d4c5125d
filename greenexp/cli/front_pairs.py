"""The tables of `greenexp front --by`: which group's front is better, by how much, and how sure that is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.fronts.attainment import attainment_probability
from greenexp.analysis.fronts.front_improvement import ParetoImprovement, pareto_improvement, score_at_equal_cost
from greenexp.analysis.fronts.pareto import pareto_front
from greenexp.cli.budgets import amounts
from greenexp.cli.front_points import OWN_ROW, Floats, PointTable, values_of
from greenexp.cli.front_tables import Reference, own_fronts
from greenexp.cli.remarks import note
from greenexp.errors import InputError

_MOST_PAIRS = 250_000
_COSTS = 6
Fronts = dict[Any, Floats]


def compare_fronts(
    table: PointTable, reference: Reference, confidence: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """A row per pair of groups, rows per pair and cost, and what follows, a sentence per pair."""
    sides = {name: _fronts(table, rows) for name, rows in table.groups.items()}
    for name, fronts in sides.items():
        if not fronts:
            note(f"{name} has no point at all, and is not compared")
    sides = {name: fronts for name, fronts in sides.items() if fronts}
    if len(sides) < 2:
        raise InputError(f"a comparison needs two groups with a point, and --by {table.by} gives {len(sides)}")
    rng, rows, levels = np.random.default_rng(seed), [], []
    for a, b in itertools.combinations(sides, 2):
        row = _together(table, a, b, sides)
        ours, theirs, paired = _paired(a, b, sides)
        if _comparable(table, a, b, ours, theirs):
            found = pareto_improvement(
                ours, theirs, reference, rng, table.directions, paired=paired, confidence=confidence
            )
            row |= _over_trials(found, paired)
            at = score_at_equal_cost(ours, theirs, _costs(ours, theirs), rng, paired, table.minimize, confidence)
            levels.append(at.assign(a=a, b=b))
        rows.append(row)
    pairs = _corrected(pd.DataFrame(rows))
    equal = _corrected(pd.concat(levels, ignore_index=True)) if levels else pd.DataFrame()
    _remarks(table, equal, confidence)
    return pairs, _ordered(equal), [_verdict(row, table, confidence) for row in pairs.to_dict("records")]


def _fronts(table: PointTable, rows: pd.DataFrame) -> Fronts:
    """Trial -> its own front; trials without a point are left out."""
    points = table.complete(own_fronts(table, rows))
    return {trial: values_of(group) for trial, group in points.groupby("trial", sort=False)}


def _together(table: PointTable, a: str, b: str, sides: dict[str, Fronts]) -> dict[str, Any]:
    """Of the points of all trials together: which share of the one front the other covers."""
    ours, theirs = (np.concatenate(list(sides[name].values())) for name in (a, b))
    ours, theirs = (np.unique(rows[pareto_front(rows, table.directions)], axis=0) for rows in (ours, theirs))
    covers = [
        float(attainment_probability(rows, [0] * len(rows), goals, directions=table.directions)["share"].mean())
        for rows, goals in ((ours, theirs), (theirs, ours))
    ]
    return {
        "a": a, "b": b, "trials_a": len(sides[a]), "trials_b": len(sides[b]), "covered_by_a": covers[0],
        "covered_by_b": covers[1],
    }  # fmt: skip


def _paired(a: str, b: str, sides: dict[str, Fronts]) -> tuple[Fronts, Fronts, bool]:
    """The trials to compare: those of both groups, one with itself; all of each if they have not two in common.

    With a trial that only one group has, that trial's luck would count for one side alone.
    """
    ours, theirs = sides[a], sides[b]
    shared = [trial for trial in ours if trial in theirs]
    if len(shared) < 2:
        return ours, theirs, False
    others = len(ours) + len(theirs) - 2 * len(shared)
    if others:
        note(f"{a}, {b}: compared over the {len(shared)} trials with points in both; {others} are in one alone")
    return {trial: ours[trial] for trial in shared}, {trial: theirs[trial] for trial in shared}, True


def _comparable(table: PointTable, a: str, b: str, ours: Fronts, theirs: Fronts) -> bool:
    """Whether the pair can be compared trial by trial; says why not."""
    if table.trials == OWN_ROW:
        return False  # said once, below
    few = [name for name, side in ((a, ours), (b, theirs)) if len(side) < 2]
    if few:
        note(f"{a}, {b}: no uncertainty, as {' and '.join(few)} has one trial with a point")
    elif len(ours) * len(theirs) > _MOST_PAIRS:
        note(f"{a}, {b}: no uncertainty, as {len(ours)} x {len(theirs)} pairs of trials are too many")
    else:
        return True
    return False


def _over_trials(found: ParetoImprovement, paired: bool) -> dict[str, Any]:
    by_trial = found.pairs.drop_duplicates("seed_a"), found.pairs.drop_duplicates("seed_b")
    return {
        "pairing": "paired" if paired else "unpaired",
        "compared_a": len(by_trial[0]),
        "compared_b": len(by_trial[1]),
        "improves_a": found.improves,
        "improves_b": found.improves_reverse,
        "hypervolume_a": float(by_trial[0]["hypervolume_a"].mean()),
        "hypervolume_b": float(by_trial[1]["hypervolume_b"].mean()),
        "difference": found.difference,
        "lower": found.lower,
        "upper": found.upper,
        "p": found.p,
        "least_p": found.least_p,
    }


def _costs(a: Fronts, b: Fronts) -> tuple[float, ...]:
    """From where every trial has a point so cheap to the dearest point."""
    sides = [*a.values(), *b.values()]
    least = max(float(rows[:, 0].min()) for rows in sides)
    most = max(float(rows[:, 0].max()) for rows in sides)
    if least > 0:
        return amounts(least, most, _COSTS)
    return tuple(float(cost) for cost in np.unique(np.linspace(least, most, _COSTS)))


def _corrected(frame: pd.DataFrame) -> pd.DataFrame:
    """With Holm's correction over all rows that have a p-value."""
    if "p" not in frame:
        return frame
    known = frame["p"].notna()
    corrected = np.full(len(frame), math.nan)
    corrected[known] = holm(frame.loc[known, "p"].to_numpy())
    return frame.assign(p_holm=corrected)


def _ordered(equal: pd.DataFrame) -> pd.DataFrame:
    names = ["a", "b", "cost", "score_a", "score_b", "difference", "lower", "upper", "p", "p_holm"]
    return equal[names] if len(equal) else pd.DataFrame(columns=names)


def _remarks(table: PointTable, equal: pd.DataFrame, confidence: float) -> None:
    if table.trials == OWN_ROW:
        note(
            "which trial a row belongs to is not known, so nothing is said of how sure a comparison is: --trial COLUMN"
        )
        return
    if equal.empty:
        return
    lost = sum(rows["trial"].nunique() - len(_fronts(table, rows)) for rows in table.groups.values())
    if lost:
        note(f"{lost} trials have no point; comparisons are about the others")
    note(
        "uncertainty is over trials, each paired with itself where both groups have it: "
        f"t intervals, {100 * confidence:g} %, each for itself; p by exchanging labels, p_holm corrected "
        "for all rows of its table"
    )
    if table.nested:
        note("trials are seeds of several configurations, so not independent: intervals are too narrow and p too small")


def _verdict(row: Mapping[Any, Any], table: PointTable, confidence: float) -> str:
    """What follows for a pair, and no more; `A Pareto-improves on B` needs every pair of trials and a small p."""
    a, b = row["a"], row["b"]
    covers, covered = row["covered_by_a"] == 1, row["covered_by_b"] == 1
    fact = (
        f"{a} and {b} have the same front" if covers and covered
        else f"{a}'s front covers {b}'s, not the other way round" if covers
        else f"{b}'s front covers {a}'s, not the other way round" if covered
        else f"each of {a} and {b} has a place on its front that the other does not cover"
    )  # fmt: skip
    fact += " (all points recorded, together; of others nothing follows)"
    improves = [row.get("improves_a", math.nan), row.get("improves_b", math.nan)]
    if 1.0 not in improves:
        return fact
    better, worse = (a, b) if improves[0] == 1 else (b, a)
    sign = (1.0 if better == a else -1.0) * row["difference"]
    if sign > 0 and row["p_holm"] <= 1 - confidence and not table.nested:
        return f"{better} Pareto-improves on {worse}: in every pair of trials, p {row['p_holm']:.2g} (Holm)"
    why = (
        "trials are not independent, so p does not hold" if table.nested
        else f"the hypervolumes could differ so by chance, p {row['p_holm']:.2g} (Holm), "
        f"{row['least_p']:.2g} at least with so few trials"
    )  # fmt: skip
    return f"{better}'s front improves on {worse}'s in every pair of trials recorded; of others nothing follows: {why}"
