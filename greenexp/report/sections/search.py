"""How good the search got for what it cost, and what to expect of fewer configurations."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.curves.best_so_far import best_so_far_over, not_measured
from greenexp.analysis.curves.evp import ExpectedBest, expected_best
from greenexp.analysis.curves.evp_over_cost import ExpectedOverCost, expected_over_cost
from greenexp.analysis.search.outlook import outlook
from greenexp.analysis.search.progress import SearchProgress, search_progress
from greenexp.analysis.sweeps.energy import energy_remarks
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import best_so_far_figure, expected_best_figure, expected_over_cost_figure, incumbent_figure
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

DRAWN = ("train_flops", "wall_s", "energy_j", "money")
"""Axes with a figure of their own, where measured; the table has all measured ones."""
EXPECTED_OVER = ("train_flops", "wall_s")
"""Axes over which the expected best is drawn."""


def section(tables: SweepTables) -> Section:
    """The best score so far over every drawn axis, and the expected-best curve or the reason why there is none."""
    metric = metric_of(tables)
    measured = [name for name in AXES if not not_measured(tables, name)]
    curves = {name: best_so_far_over(tables, name) for name in measured}
    reached = curves["epochs"]
    plates = [] if reached.empty else _best_so_far(curves, metric)
    curve = expected_best(tables)
    if len(curve.curve):
        plates.append(_expected(curve, metric))
    progress = search_progress(tables)
    if len(progress.incumbent) > 1:
        plates.append(_configurations(progress, metric))
    over_cost = [expected_over_cost(tables, axis) for axis in EXPECTED_OVER]
    plates += [_over_cost(found, metric) for found in over_cost if len(found.curve)]
    return Section(
        name="search",
        title="Best score so far and expected best",
        headline=(
            *_reached(reached, metric),
            *_expectation(curve),
            *_no_cost_curve(curve, over_cost),
            *outlook(progress, metric),
        ),
        paragraphs=_absent(tables),
        plates=tuple(plates),
        assumptions=(
            *_assumptions(tables, curve),
            *_cost_assumptions(tables, over_cost),
            *(remark for remarks in energy_remarks(tables) for remark in remarks),
            *_gain_assumptions(progress),
        ),
    )


def _best_so_far(curves: dict[str, pd.DataFrame], metric: SweepMetric) -> list[Plate]:
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
        figure = best_so_far_figure(curves[name], name, metric)
        note = "Costs are of everything reported up to that moment. The last row is where the reports end."
        plates.append(Plate(figure, Table(figure.name, figure.title, frame, columns, note)))
    return plates


def _configurations(progress: SearchProgress, metric: SweepMetric) -> Plate:
    """What the search had in hand, configuration by configuration."""
    figure, frame = incumbent_figure(progress, metric), progress.incumbent
    frame = frame.assign(
        how=["drawn at random" if drawn else "proposed" for drawn in frame["drawn"]],
        trained=["stopped early" if bound else "to the end" for bound in frame["bound"]],
    )
    columns = (
        Column("number", "Number", "count"),
        Column("configuration", "Configuration", "name"),
        Column("score", "Mean over seeds", "score"),
        Column("best", "Best so far", "score"),
        Column("how", "Chosen how"),
        Column("trained", "Trained"),
    )
    return Plate(figure, Table(figure.name, figure.title, frame, columns))


def _expected(curve: ExpectedBest, metric: SweepMetric) -> Plate:
    figure = expected_best_figure(curve, metric)
    bound = f" ({curve.bound})" if curve.bound else ""
    columns = (
        Column("configurations", "Configurations", "count"),
        Column("expected_best", f"Expected best{bound}", "score"),
    )
    if curve.bound:  # how much bounds vary says nothing about how much full scores do
        frame = curve.curve[["configurations", "expected_best"]]
        return Plate(figure, Table(figure.name, figure.title, frame, columns))
    spread = Column("standard_deviation", "Standard deviation of the best", "score")
    note = (
        "The standard deviation is of the best of that many draws, from search to search; it is no confidence interval."
    )
    return Plate(figure, Table(figure.name, figure.title, curve.curve, (*columns, spread), note))


def _over_cost(found: ExpectedOverCost, metric: SweepMetric) -> Plate:
    figure = expected_over_cost_figure(found, metric)
    row = AXES[found.axis]
    frame = found.curve.assign(nothing=[f"{100 * share:.1f} %" for share in found.curve["nothing_finished"]])
    columns = (
        Column("cost", row.sum_title, "quantity", row.unit),
        Column("expected_best", "Expected best", "score"),
        Column("nothing", "Searches that finished nothing"),
    )
    note = (
        "Expected best of the searches that have finished a configuration for that cost; the line is dotted where some "
        "have not."
    )
    return Plate(figure, Table(figure.name, figure.title, frame, columns, note))


def _reached(reached: pd.DataFrame, metric: SweepMetric) -> tuple[str, ...]:
    if reached.empty:
        return ("No trial that did not fail has reported a score, so there is no best score so far.",)
    best = reached[reached["improved"]].iloc[-1]
    end = reached["cost"].iloc[-1]
    return (
        (
            f"The best single trial, {best['trial']}, reached {best['score']:.4f} {metric.label} at its epoch "
            f"{format_quantity(best['epoch'], '')}, after {counted(best['cost'], 'epoch')} of the sweep's "
            f"{format_quantity(end, '')}."
        ),
    )


def _expectation(curve: ExpectedBest) -> tuple[str, ...]:
    if curve.refusal:
        return (f"No expected-best curve: {curve.refusal}.",)
    first, last = curve.curve.iloc[0], curve.curve.iloc[-1]
    least = {"lower bound": "at least ", "upper bound": "at most "}.get(curve.bound, "")
    among = ", if it does not fail," if curve.failed else ""
    sentence = f"One configuration drawn at random{among} is estimated to reach {least}{first['expected_best']:.4f}"
    if len(curve.curve) == 1:
        return (f"{sentence}.",)
    many = int(last["configurations"])
    return (f"{sentence}, the best of {many} {least}{last['expected_best']:.4f}.",)


def _no_cost_curve(curve: ExpectedBest, over_cost: list[ExpectedOverCost]) -> tuple[str, ...]:
    """Why the expected best is not drawn over cost, unless it is not drawn at all."""
    reasons = dict.fromkeys(found.refusal for found in over_cost if found.refusal and found.refusal != curve.refusal)
    return tuple(f"Not drawn over cost: {reason}; see the best score so far." for reason in reasons)


def _absent(tables: SweepTables) -> tuple[str, ...]:
    reasons = [not_measured(tables, name) for name in DRAWN]
    absent = [reason for reason in reasons if reason]
    return (f"Not drawn: {'; '.join(absent)}.",) if absent else ()


def _assumptions(tables: SweepTables, curve: ExpectedBest) -> tuple[str, ...]:
    notes = [
        (
            "The best score so far is that of this one search, in the order in which epochs ended. It is the score of "
            "the best single trial, so it is also a maximum over seeds; another search would give another line."
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


def _gain_assumptions(progress: SearchProgress) -> tuple[str, ...]:
    if progress.refusal:
        return ()
    if progress.gains[0].upper:
        return (
            (
                "What the next configurations gain at most is taken from what the search gained last; gains become "
                "smaller as a search goes on."
            ),
        )
    return (
        (
            "What the next configurations gain presumes independent draws, and that the best score goes on to rise by "
            "the law of its last two doublings. It is a mean over searches. What most of them gain at most allows for "
            "every tail that agrees with the better half of the scores. A score that is partly luck of its seeds makes "
            "the gain partly luck, too."
        ),
    )


def _cost_assumptions(tables: SweepTables, over_cost: list[ExpectedOverCost]) -> tuple[str, ...]:
    drawn = [found for found in over_cost if len(found.curve)]
    if not drawn:
        return ()
    again = int((tables.trials["attempts"] > 1).sum())
    repeated = f" Work that {counted(again, 'trial')} did twice after a break is in the costs." if again else ""
    return (
        (
            f"Over cost: the configurations in {drawn[0].orders:,} random orders, one after the other, each with all "
            "its seeds and paid for in full before it counts. For small budgets (dotted) the mean is over the "
            f"searches that finish something, hence over cheap configurations.{repeated}"
        ),
    )
