"""Searches of one sweep side by side, one for each value of a field: which is better at which budget."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from greenexp.analysis.comparing.at_every_number import probabilities_better
from greenexp.analysis.comparing.study import comparison_study
from greenexp.analysis.curves.of_sweep import configuration_scores, group_names
from greenexp.analysis.curves.options import CurveOptions
from greenexp.analysis.curves.study import curve_study
from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.configurations import configuration_states, configuration_table
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import Channel, comparison_figure
from greenexp.figures.scale import axis_unit
from greenexp.records.axes import AXES, BudgetAxis
from greenexp.records.scores import Scores
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.compared_pairs import difference_plates, pairs_table
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table, cost_column
from greenexp.units import format_quantity

NAME, TITLE = "compared-searches", "Searches compared"
BAND = ("lower_95", "upper_95")
FEWEST_TOLD = 5
"""Configurations of each search below which no permutation test of two can come to 5 % after any correction."""


def section(tables: SweepTables) -> Section:
    """The searches of a sweep with `search.per`: their curves, P(A better than B), and where the better one changes."""
    per = tables.spec.search.per
    if per is None or per not in tables.parameters:
        said = "Nothing to compare: the sweep is one search (no search.per)."
        return Section(NAME, TITLE, (said,))
    metric, ended = metric_of(tables), _ended(tables)
    scores = configuration_scores(ended, per)
    findings = comparison_study(scores)
    axis = _axis(tables)
    summary = _summary(ended, per, metric, axis)
    presumed = (
        f"Every value of {per} has a search of its own, {_equal(tables)}.",
        _SEPARATE,
        *_left_out(tables, ended),
    )
    if findings.refusal:
        said = f"The searches are not compared at equal budgets: {findings.refusal}."
        return Section(NAME, TITLE, (said,), tables=(summary,), assumptions=presumed)
    costs = configuration_scores(ended, per, axis.name)
    over_cost = comparison_study(costs)
    return Section(
        name=NAME,
        title=TITLE,
        headline=(*findings.verdict, *_at_equal_cost(over_cost, axis), *_few(scores)),
        plates=(
            _curves(scores, metric),
            *_probabilities(scores),
            *difference_plates(findings, metric.label, "score", "Configurations"),
            *_curves_over_cost(over_cost, costs, metric, axis),
        ),
        tables=(summary, pairs_table(findings, "score", "configurations"), *_changes(findings)),
        assumptions=(*presumed, *(_sentence(text) for text in (*findings.warnings, *findings.notes))),
    )


_SEPARATE = "Configurations of different values are drawn independently."


def _axis(tables: SweepTables) -> BudgetAxis:
    """The cost at which searches are compared: that of their own budgets, else training FLOPs."""
    limited = (axis for axis in tables.spec.search.limits() if axis != "trials")
    return AXES[next(limited, "train_flops")]


def _equal(tables: SweepTables) -> str:
    """What the searches have in common."""
    limits = tables.spec.search.limits()
    same = "over the fields that it has, with the same seeds"
    if not limits:
        return f"{same} and the same number of configurations"
    budgets = " and ".join(f"{axis} {format_quantity(limit, AXES[axis].unit)}" for axis, limit in limits.items())
    return f"{same} and the same budget ({budgets}; the last configuration of each may pass it)"


def _ended(tables: SweepTables) -> SweepTables:
    """The sweep without the configurations that have not ended: theirs are no scores yet."""
    trials = tables.trials
    left = [name for name, (state, _) in configuration_states(trials).items() if state == "unfinished"]
    return dataclasses.replace(tables, trials=trials[~trials["configuration"].isin(left)].reset_index(drop=True))


def _left_out(tables: SweepTables, ended: SweepTables) -> tuple[str, ...]:
    number = tables.trials["configuration"].nunique() - ended.trials["configuration"].nunique()
    if not number:
        return ()
    left = counted(number, "configuration")
    return (f"{left} left out: not ended. The searches take turns, so each lacks about as many.",)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _few(scores: Scores) -> tuple[str, ...]:
    """That the searches are too short to tell groups apart, where that is so."""
    fewest = min(group.scored.size for group in scores.groups.values())
    if fewest >= FEWEST_TOLD:
        return ()
    return (
        f"The shortest search has {counted(fewest, 'configuration')} with a score: too few to tell searches apart.",
    )


def _at_equal_cost(findings: Findings, axis: BudgetAxis) -> tuple[str, ...]:
    """Which search is better at equal cost, where costs are known."""
    if findings.refusal:
        return (f"At equal {axis.name} nothing is compared: {findings.refusal}.",)
    return tuple(f"At equal {axis.name}: {text[0].lower()}{text[1:]}" for text in findings.verdict)


def _curves(scores: Scores, metric: SweepMetric) -> Plate:
    """The median best of n of every search, within its 95 % band."""
    longest = max(len(group.frame) for group in scores.groups.values())
    found = curve_study(scores, CurveOptions(estimator="median", budgets=tuple(range(1, longest + 1))))
    rows = found["curve"].rename(columns={"by": "group", "lower": BAND[0], "upper": BAND[1]})
    rows = rows[["group", "n", "estimate", *BAND]].dropna(subset=["estimate"]).reset_index(drop=True)
    rows[list(BAND)] = rows[list(BAND)].where(np.isfinite(rows[list(BAND)]))
    sizes = {name: f"N = {group.scored.size}" for name, group in scores.groups.items()}
    across = Channel("n", "Configurations drawn at random", whole=True)
    up = Channel("estimate", f"Median best {metric.label}")
    title = "Median best of n configurations of each search, with its 95 % band"
    figure = comparison_figure("compared-searches", title, rows, across, up, sizes, band=BAND)
    columns = (
        Column("group", "Search", "name"),
        Column("n", "Configurations", "count"),
        Column("estimate", "Median best", "score"),
        Column(BAND[0], "95 %, from", "score", missing="open"),
        Column(BAND[1], "95 %, to", "score", missing="open"),
    )
    note = (
        "The band of a search holds at all n together, and for this search alone; the band of a difference is in the "
        "figure of the difference. open: the band does not end there, and its area runs to the edge of the drawing."
    )
    return Plate(figure, Table(figure.name, title, rows, columns, note))


def _probabilities(scores: Scores) -> tuple[Plate, ...]:
    """P(best of n of A is better than that of n of B) over n, a line for each pair; none at a single n."""
    table = probabilities_better(scores)
    if table["budget"].nunique() < 2:
        return ()
    table = table.assign(group=[f"{a} > {b}" for a, b in zip(table["a"], table["b"], strict=True)])
    across = Channel("budget", "Configurations of each", whole=True)
    title = "Probability that the best of n configurations of one search is better than that of another"
    figure = comparison_figure(
        "probability-better", title, table, across, Channel("probability_better", "P(A better than B)"), {}
    )
    columns = (
        Column("a", "A", "name"),
        Column("b", "B", "name"),
        Column("budget", "n of each", "count"),
        Column("probability_better", "P(A better)", "score"),
    )
    note = "A tie counts half. n ends at half of the shortest search: beyond, single configurations decide."
    return (Plate(figure, Table(figure.name, title, table, columns, note)),)


def _curves_over_cost(findings: Findings, scores: Scores, metric: SweepMetric, axis: BudgetAxis) -> tuple[Plate, ...]:
    """The score in hand for a cost, of every search."""
    if findings.refusal:
        return ()
    rows = findings["curves"].rename(columns={"by": "group"}).dropna().reset_index(drop=True)
    if rows.empty:
        return ()
    sizes = {name: f"N = {len(group.frame)}" for name, group in scores.groups.items()}
    divisor, unit = axis_unit(axis.unit, float(rows["budget"].max()))
    across = Channel("cost", f"{axis.name} ({unit})")
    title = f"Median best score in hand for an amount of {axis.name}, of each search"
    scaled = rows.assign(cost=rows["budget"] / divisor)
    up = Channel("estimate", f"Median best {metric.label}")
    figure = comparison_figure("compared-searches-cost", title, scaled, across, up, sizes)
    columns = (
        Column("group", "Search", "name"),
        Column("budget", axis.name, "quantity", axis.unit),
        Column("estimate", "Median best", "score"),
    )
    note = "Configurations in random order, each at its own cost, all its seeds together."
    return (Plate(figure, Table(figure.name, title, rows, columns, note)),)


def _summary(tables: SweepTables, per: str, metric: SweepMetric, axis: BudgetAxis) -> Table:
    """A row per search: how much was run, and what came out."""
    found = configuration_table(tables)
    found = found.assign(group=group_names(tables, per, [str(name) for name in found["configuration"]]))
    order = dict.fromkeys(group_names(tables, per, list(tables.trials["configuration"].unique())))
    rows = [_row(name, found[found["group"] == name], metric, axis) for name in order]
    columns = (
        Column("group", "Search", "name"),
        Column("configurations", "Ended", "count"),
        Column("scored", "With a mean", "count"),
        Column("failed", "Failed", "count"),
        Column("stopped", "Stopped early", "count"),
        Column("mean", "Mean", "score"),
        Column("std", "Standard deviation", "score"),
        Column("best", "Best", "score"),
        Column("leader", "Best configuration", "name"),
        cost_column(axis.name, axis.name, axis.unit),
    )
    note = f"{metric.label}, means over seeds. The best of a search is chosen by the scores that it is shown with."
    return Table("compared-searches-summary", "The searches", pd.DataFrame(rows), columns, note)


def _row(name: str, found: pd.DataFrame, metric: SweepMetric, axis: BudgetAxis) -> dict[str, object]:
    scored = found.dropna(subset=["score_mean"])
    best = scored["score_mean"].min() if metric.minimize else scored["score_mean"].max()
    paid = found[axis.name]
    return {
        "group": name,
        "configurations": len(found),
        "scored": len(scored),
        "failed": int((found["state"] == "failed").sum()),
        "stopped": int(found["state"].isin(["stopped", "stopped apart"]).sum()),
        "mean": scored["score_mean"].mean(),
        "std": scored["score_mean"].std(),
        "best": best,
        "leader": "" if scored.empty else str(scored["configuration"].iloc[0]),
        axis.name: float("nan") if paid.isna().any() else float(paid.sum()),
    }


def _changes(findings: Findings) -> tuple[Table, ...]:
    """Where the estimates of two searches change places."""
    crossings = findings.tables.get("crossings")
    if crossings is None or crossings.empty:
        return ()
    columns = (
        Column("pair", "Pair"),
        Column("before", "Up to n", "count"),
        Column("better_before", "Better there", "name"),
        Column("after", "From n", "count"),
        Column("better_after", "Better there", "name"),
    )
    note = "Of the estimates: a change within the band of the difference may be chance."
    return (Table("compared-searches-changes", "Where the better search changes", crossings, columns, note),)
