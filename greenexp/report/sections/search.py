"""How good the search got for what it cost, and what to expect of fewer configurations."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis import ExpectedBest, Metric, expected_best, incumbent, metric_of
from greenexp.analysis.incumbent import not_measured
from greenexp.figures import expected_best_figure, incumbent_figure
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table

DRAWN = ("train_flops", "wall_s", "energy_j", "money")
"""Axes with a figure of their own, where measured; the table has all measured ones."""


def section(tables: SweepTables) -> Section:
    """The realised incumbent over every drawn axis, and the expected-best curve or the reason why there is none."""
    metric = metric_of(tables)
    measured = [name for name in AXES if not not_measured(tables, name)]
    curves = {name: incumbent(tables, name) for name in measured}
    reached = curves["epochs"]
    plates = [] if reached.empty else _incumbents(curves, metric)
    curve = expected_best(tables)
    if len(curve.curve):
        plates.append(_expected(curve, metric))
    return Section(
        name="search",
        title="The search: best score so far, and what to expect",
        headline=(*_reached(reached, metric), *_expectation(curve)),
        paragraphs=_absent(tables),
        plates=tuple(plates),
        assumptions=_assumptions(tables, curve),
    )


def _incumbents(curves: dict[str, pd.DataFrame], metric: Metric) -> list[Plate]:
    """One table with every measured axis beside the score, and a figure for every drawn one."""
    frame = curves["epochs"].drop(columns="cost")
    frame = frame.assign(**{name: curve["cost"].to_numpy() for name, curve in curves.items()})
    costs = [Column(name, AXES[name].sum_title, "quantity", AXES[name].unit) for name in curves]
    columns = (
        Column("score", "Best so far", "score"),
        Column("trial", "Trial", "name"),
        Column("epoch", "Epoch", "count"),
        *costs,
    )
    drawn = [name for name in DRAWN if name in curves and curves[name]["cost"].iloc[-1] > 0]
    plates = []
    for name in drawn:
        figure = incumbent_figure(curves[name], name, metric)
        note = "Costs are of everything reported up to that moment. The last row is where the reports end."
        plates.append(Plate(figure, Table(figure.name, figure.title, frame, columns, note)))
    return plates


def _expected(curve: ExpectedBest, metric: Metric) -> Plate:
    figure = expected_best_figure(curve, metric)
    bound = f" ({curve.bound})" if curve.bound else ""
    columns = (
        Column("configurations", "Configurations", "count"),
        Column("expected_best", f"Expected best{bound}", "score"),
        Column("standard_deviation", "Standard deviation of the best", "score"),
    )
    note = (
        "The standard deviation is of the best of that many draws, from search to search; it is no confidence interval."
    )
    return Plate(figure, Table(figure.name, figure.title, curve.curve, columns, note))


def _reached(reached: pd.DataFrame, metric: Metric) -> tuple[str, ...]:
    if reached.empty:
        return ("No trial that did not fail has reported a score, so there is no incumbent.",)
    best = reached[reached["improved"]].iloc[-1]
    end = reached["cost"].iloc[-1]
    return (
        (
            f"The best single trial, {best['trial']}, reached {best['score']:.4f} {metric.label} at its epoch "
            f"{best['epoch']}, after {counted(int(best['cost']), 'epoch')} of the sweep's {int(end):,}."
        ),
    )


def _expectation(curve: ExpectedBest) -> tuple[str, ...]:
    if curve.refusal:
        return (f"No expected-best curve: {curve.refusal}.",)
    first, last = curve.curve.iloc[0], curve.curve.iloc[-1]
    least = {"lower bound": "at least ", "upper bound": "at most "}.get(curve.bound, "")
    among = ", if it does not fail," if curve.failed else ""
    sentence = f"One configuration drawn at random{among} is expected to reach {least}{first['expected_best']:.4f}"
    if len(curve.curve) == 1:
        return (f"{sentence}.",)
    many = int(last["configurations"])
    return (f"{sentence}, the best of {many} {least}{last['expected_best']:.4f}.",)


def _absent(tables: SweepTables) -> tuple[str, ...]:
    reasons = [not_measured(tables, name) for name in DRAWN]
    absent = [reason for reason in reasons if reason]
    return (f"Not drawn: {'; '.join(absent)}.",) if absent else ()


def _assumptions(tables: SweepTables, curve: ExpectedBest) -> tuple[str, ...]:
    notes = [
        (
            "The incumbent is what this one search had in hand, in the order things happened; it is the best single "
            "trial, so it is chosen over seeds too, and another search would give another line."
        ),
        "Scores of trials that failed do not count, their costs do.",
    ]
    lost = float(tables.trials["lost_wall_s"].sum())
    if lost > 0:
        notes.append(f"{lost:.1f} s of worker time lost in broken attempts are in no report and not on the axis.")
    if not curve.refusal:
        notes.append(
            "The expected best is the unbiased estimate (draws without replacement) and presumes that configurations "
            "were drawn independently."
        )
    return (*notes, *curve.notes)
