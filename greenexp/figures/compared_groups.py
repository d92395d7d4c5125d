"""The study that compares groups, drawn: the curves of all groups, and the difference of the best two with its band."""

from __future__ import annotations

import dataclasses

import numpy as np

from greenexp.analysis.findings import Findings
from greenexp.figures.banded_curve import banded_curve_figure
from greenexp.figures.comparison import MOST_GROUPS, Channel, comparison_figure
from greenexp.figures.cost_axis import over_cost
from greenexp.figures.figure import Figure
from greenexp.records.scores import Scores

MOST_BANDS = 2


def compared_groups_figures(findings: Findings, scores: Scores) -> tuple[Figure, ...]:
    """Figures of `analysis.comparing.study.comparison_study`, the main one first; none if nothing was compared.

    The curves are of the first `MOST_GROUPS` groups. The difference is that of the two groups with the best scores; it
    is drawn only where a band bounds it somewhere.
    """
    if findings.refusal:
        return ()
    curves = findings["curves"].rename(columns={"by": "group"}).dropna()
    figures = []
    if len(curves):
        title = findings.titles["curves"]
        drawn, across = curves, Channel("budget", "Number of trials", whole=True)
        if scores.cost is not None:
            drawn, across = over_cost(curves, scores.cost)
        groups = list(dict.fromkeys(curves["group"]))[:MOST_GROUPS]
        sizes = {name: f"N = {len(group.frame)}" for name, group in scores.groups.items() if name in groups}
        up = Channel("estimate", f"Best {scores.score}")
        figure = comparison_figure("compared-groups", title, drawn, across, up, sizes)
        figures.append(dataclasses.replace(figure, table=curves))
    difference = difference_figure(findings, scores.score)
    return (*figures, difference) if difference is not None else tuple(figures)


def difference_figure(findings: Findings, score: str) -> Figure | None:
    """The difference of the two groups with the best scores at every number of trials, with at most two bands.

    None if there is no such table, or no band bounds it anywhere.
    """
    table = findings.tables.get("difference")
    if table is None or len(table) < 2:
        return None
    confidences = [str(name).removeprefix("lower_") for name in table if str(name).startswith("lower_")][-MOST_BANDS:]
    sides = [f"{side}_{confidence}" for confidence in confidences for side in ("lower", "upper")]
    if not sides or not np.isfinite(table[sides].to_numpy(dtype=np.float64)).any():
        return None
    rows = table[["budget", "curve_a", "curve_b", "difference", *sides]].copy()
    rows[sides] = rows[sides].where(np.isfinite(rows[sides]))
    a, b = table["a"].iloc[0], table["b"].iloc[0]
    across = Channel("budget", "Number of trials of each", whole=True)
    up = Channel("difference", f"Difference of {score}")
    return banded_curve_figure("difference", f"{a} minus {b}", rows, across, up, confidences, zero=True)
