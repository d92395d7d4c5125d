"""The study of fronts: which points of score and cost are worth having, and whose front is better."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.fronts.group_pairs import compare_fronts
from greenexp.analysis.fronts.group_tables import (
    attainment_table,
    expected_hypervolume_table,
    front_table,
    hypervolume_table,
)
from greenexp.analysis.fronts.options import FrontOptions
from greenexp.analysis.fronts.point_scores import Reference, complete
from greenexp.records.scores import GROUP, Scores

TITLES = {
    "subject": "What is set against what",
    "reference": "The worst corner, up to which hypervolumes are taken",
    "front": "Pareto front: no other point of the group costs as little and scores as well, and is better in one",
    "hypervolume": "Hypervolume: the area that a front dominates, up to the reference",
    "expected_hypervolume": "Expected hypervolume of the front of n trials",
    "attainment": "Attainment: corners of the curves that a share of the trials reaches",
    "improvement": "Pairs of groups: the share of a front that the other covers; how often one improves on the other",
    "equal_cost": "Best score at cost at most this, means over trials",
}


def front_study(scores: Scores, options: FrontOptions | None = None) -> Findings:
    """The Pareto front of every group, what it is worth, and with groups (`scores.by`) whose is better.

    Parameters
    ----------
    scores : Scores, required
        A row per point, with a cost. A row without a score or a cost is no point, but its trial counts.
    options : FrontOptions, default FrontOptions()
        How to compute.

    Returns
    -------
    Findings
        The tables subject (`Scores.subject`), reference (one row: score, cost, worst_seen), front, hypervolume,
        expected_hypervolume, attainment, and of a comparison improvement and equal_cost; from front on with the column
        `by`, or `a` and `b`, that names the group. A refusal where there is no point, or nothing to compare.

    """
    options = options or FrontOptions()
    points = complete(scores.frame)
    if points.empty:
        return Findings(refusal="no row has both a score and a cost", notes=scores.notes)
    reference, notes, warnings = _reference(scores, points, options)
    notes = [*scores.notes, *notes, *_incomplete(scores)]
    expected, of_expected = expected_hypervolume_table(scores, reference, options.budgets)
    attained, of_attained = attainment_table(scores, options.levels)
    corner = {"score": reference[1], "cost": reference[0], "worst_seen": options.reference is None}
    tables = {
        "subject": scores.subject,
        "reference": pd.DataFrame([corner]),
        "front": front_table(scores),
        "hypervolume": hypervolume_table(scores, reference),
        "expected_hypervolume": expected,
        "attainment": attained,
    }
    verdict = [_extent(scores, tables["front"], tables["hypervolume"])] if scores.by is None else []
    notes += [*of_expected, *of_attained]
    if scores.by is not None:
        comparison = compare_fronts(scores, reference, options)
        notes += comparison.notes
        if comparison.refusal:
            return Findings(refusal=comparison.refusal, notes=tuple(notes))
        verdict += comparison.claims
        tables |= {"improvement": comparison.improvement, "equal_cost": comparison.equal_cost}
    return Findings(tuple(verdict), tables, TITLES, tuple(notes), (*scores.warnings, *warnings))


def _reference(scores: Scores, points: pd.DataFrame, options: FrontOptions) -> tuple[Reference, list[str], list[str]]:
    """The worst corner as (cost, score), notes and warnings."""
    if options.reference is None:
        worst = points["score"].max() if scores.minimize else points["score"].min()
        note = (
            "the reference of hypervolumes is the worst score and the highest cost seen: points with either add "
            "nothing, and other points would move it. Name a reference to compare with other tables"
        )
        return (float(points["cost"].max()), float(worst)), [note], []
    score, cost = options.reference
    better = points["score"] < score if scores.minimize else points["score"] > score
    inside = int((better & (points["cost"] < cost)).sum())
    if not inside:
        return (
            (cost, score),
            [],
            ["no point is better than the reference in both score and cost: every hypervolume is 0"],
        )
    outside = len(points) - inside
    note = f"{outside} of {len(points)} points are not better than the reference and add no hypervolume"
    return (cost, score), [note] if outside else [], []


def _incomplete(scores: Scores) -> list[str]:
    notes = []
    for name, rows in scores.frame.groupby(GROUP, sort=False):
        missing = len(rows) - len(complete(rows))
        if missing:
            of = f"{name}: " if scores.by else ""
            notes.append(f"{of}{missing} of {len(rows)} rows have no score or no cost, and are on no front")
    return notes


def _extent(scores: Scores, front: pd.DataFrame, volumes: pd.DataFrame) -> str:
    """Where the front begins and ends."""
    first, last, row = front.iloc[0], front.iloc[-1], volumes.iloc[0]
    count = f"{row['on_front']} of {row['points']} points {'is' if row['on_front'] == 1 else 'are'} on the Pareto front"
    if row["on_front"] == 1:
        return f"{count}: {scores.score} {first['score']:.4g} at {scores.cost} {first['cost']:.4g}."
    return (
        f"{count}, from {scores.score} {first['score']:.4g} at {scores.cost} {first['cost']:.4g} to "
        f"{last['score']:.4g} at {last['cost']:.4g}."
    )
