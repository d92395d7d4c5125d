"""The study of tuning curves, drawn: a line per group, or one curve inside its band."""

from __future__ import annotations

import dataclasses

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.figures.banded_curve import banded_curve_figure
from greenexp.figures.comparison import MOST_GROUPS, Channel, comparison_figure
from greenexp.figures.cost_axis import over_cost
from greenexp.figures.figure import Figure
from greenexp.records.scores import Scores


def tuning_curve_figures(findings: Findings, scores: Scores) -> tuple[Figure, ...]:
    """Figures of `analysis.curves.study.curve_study`, the main one first; none if there is no curve.

    With one group and a band the main figure is that curve inside its band; with several, their estimates, of at most
    `MOST_GROUPS` groups.
    """
    if findings.refusal:
        return ()
    curve, median = findings["curve"], findings.tables.get("median")
    lines = _lines(findings, scores)
    if scores.by is not None and len(scores.groups) > 1:
        return (lines,)
    if median is not None:
        return (_banded(median, "median", findings.titles["median"], scores), lines)
    if "lower" in curve:
        return (_banded(curve, "estimate", findings.titles["curve"], scores),)
    return (lines,)


def _across(scores: Scores) -> Channel:
    if scores.cost is not None:
        return Channel("budget", str(scores.cost))
    return Channel("n", f"Number of {scores.trials or 'trial'}s", whole=True)


def _lines(findings: Findings, scores: Scores) -> Figure:
    """The estimates, a line per group."""
    table = findings["curve"].rename(columns={"by": "group"})
    across, title = _across(scores), findings.titles["curve"]
    rows = table[["group", across.column, "estimate"]].dropna()
    size = "trials" if "trials" in table else "scores"
    groups = table.drop_duplicates("group").head(MOST_GROUPS)
    ends = {str(name): f"N = {number}" for name, number in zip(groups["group"], groups[size], strict=True)}
    up = Channel("estimate", f"Best {scores.score}")
    drawn = rows
    if scores.cost is not None:
        drawn, across = over_cost(rows, scores.cost)
    return dataclasses.replace(comparison_figure("tuning-curves", title, drawn, across, up, ends), table=rows)


def _banded(table: pd.DataFrame, column: str, title: str, scores: Scores) -> Figure:
    """One curve inside its band; a bound that is no more than the end of the support is drawn open."""
    percent = f"{100 * float(table['confidence'].iloc[0]):g}"
    sides = {f"{side}_{percent}": table[side].where(table[side].abs() < float("inf")) for side in ("lower", "upper")}
    rows = table[["n", column]].assign(**sides)
    up = Channel(column, f"{'Median best' if column == 'median' else 'Best'} {scores.score}")
    return banded_curve_figure("tuning-curve-band", title, rows, _across(scores), up, [percent])
