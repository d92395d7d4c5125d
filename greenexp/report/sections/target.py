"""What it takes to reach a target score, and what more configurations would bring."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from greenexp.analysis.curves.best_so_far import not_measured
from greenexp.analysis.curves.evp import ExpectedBest, expected_best
from greenexp.analysis.curves.target import BudgetToReach, budget_to_reach, probability_to_reach
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import Channel, comparison_figure
from greenexp.figures.scale import axis_unit
from greenexp.records.arrays import Floats
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.extrapolated import more_configurations
from greenexp.report.sections.target_scores import in_points, targets
from greenexp.report.sections.wording import counted
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

NAME, TITLE = "target", "Targets and extrapolation"
COST_AXES = ("train_flops", "wall_s", "gpu_s", "energy_j")
"""The first that was measured is the axis of cost."""
FEWEST, _PLACES = 3, 60


def section(tables: SweepTables) -> Section:
    """Budgets that reach three targets, over configurations and a cost; the curve beyond; or why there is none."""
    metric, found = metric_of(tables), expected_best(tables)
    number = len(found.values)
    refusal = found.refusal
    if found.bound:
        refusal = (
            f"some of these scores are {found.bound}s, of trials stopped early or not ended, and how often full "
            "training reaches a target cannot be read off them"
        )
    elif not refusal and number < FEWEST:
        refusal = (
            f"{counted(number, 'configuration')} with a score say{'s' if number == 1 else ''} next to nothing about "
            f"how often one is reached; {FEWEST} are needed"
        )
    if refusal:
        return Section(NAME, TITLE, (f"No budget to reach a target: {refusal}.",), assumptions=(_PRESUMES,))
    axis, why = _cost_axis(tables)
    scores = np.array([*found.values.values(), *[math.nan] * found.failed])  # noqa: PD011 - a field, not of a frame
    costs = None
    if axis:
        costs = tables.trials.groupby("configuration", sort=False)[axis].sum()[list(found.values)].to_numpy()
    aims = targets(scores[:number], metric)
    reached = {name: budget_to_reach(scores, aim, costs, minimize=metric.minimize) for name, aim in aims.items()}
    plates = [_over_configurations(reached, scores, metric)]
    if axis and costs is not None:
        plates.append(_over_cost(reached, scores, costs, axis, metric))
    more = more_configurations(tables, scores[:number], metric, limited=in_points(metric))
    return Section(
        name=NAME,
        title=TITLE,
        headline=(*(said(name, aim, axis) for name, aim in reached.items()), *why, *more.sentences),
        plates=(*plates, *more.plates),
        tables=(_table(reached, axis),),
        assumptions=(*_assumptions(tables, found, metric, axis), *more.assumptions),
    )


def _cost_axis(tables: SweepTables) -> tuple[str, tuple[str, ...]]:
    """The axis, or an empty string and a sentence."""
    trials = tables.trials
    left = int((trials["status"] != "finished").sum())
    if left:
        return "", (f"Not told over cost: {left} of {len(trials)} trials did not finish, so full costs are not known.",)
    for axis in COST_AXES:
        if not not_measured(tables, axis) and bool((trials[axis] > 0).all()):
            return axis, ()
    return "", ("Not told over cost: no cost was measured of every trial.",)


def _over_configurations(reached: dict[str, BudgetToReach], scores: Floats, metric: SweepMetric) -> Plate:
    last = max(scores.size, *(int(_known(found.table["trials"].max(), 0.0)) for found in reached.values()))
    sizes = np.unique(np.rint(np.linspace(1, last, min(last, _PLACES))))
    frame = _probabilities(reached, scores, sizes, None, metric)
    return _plate("target-configurations", "configurations", frame, Channel("budget", "Configurations", whole=True),
                  Column("budget", "Configurations", "count"))  # fmt: skip


def _over_cost(
    reached: dict[str, BudgetToReach], scores: Floats, costs: Floats, axis: str, metric: SweepMetric
) -> Plate:
    row = AXES[axis]
    last = max(float(costs.sum()), *(_known(found.table["cost"].max(), 0.0) for found in reached.values()))
    frame = _probabilities(reached, scores, np.linspace(0, last, _PLACES + 1)[1:], costs, metric)
    divisor, unit = axis_unit(row.unit, last)
    frame["drawn_at"] = frame["budget"] / divisor
    what = f"{row.sum_title[0].lower()}{row.sum_title[1:]}"
    title = f"{row.sum_title}{f' ({unit})' if unit else ''}"
    return _plate(f"target-{axis.replace('_', '-')}", what, frame, Channel("drawn_at", title),
                  Column("budget", row.sum_title, "quantity", row.unit))  # fmt: skip


def _probabilities(
    reached: dict[str, BudgetToReach], scores: Floats, budgets: Floats, costs: Floats | None, metric: SweepMetric
) -> pd.DataFrame:
    parts = [
        probability_to_reach(scores, found.target, budgets, costs, minimize=metric.minimize).assign(
            group=name, target=found.target
        )
        for name, found in reached.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _plate(name: str, what: str, frame: pd.DataFrame, x: Channel, budget: Column) -> Plate:
    ends = {str(group): f"{rows['target'].iloc[0]:.4f}" for group, rows in frame.groupby("group", sort=False)}
    title = f"Probability that a target is reached, over {what}"
    figure = comparison_figure(name, title, frame, x, Channel("probability", "Probability of reaching it"), ends)
    columns = (
        Column("group", "Target"), Column("target", "Score", "score"), budget,
        Column("probability", "Probability", "score"), Column("lower", "From", "score"), Column("upper", "To", "score"),
    )  # fmt: skip
    note = f"From, to: 95 %, of the share that reaches it alone. The CSV has all {len(frame)} rows."
    shown = pd.concat([rows.iloc[:: max(1, len(rows) // 6)] for _, rows in frame.groupby("group", sort=False)])
    return Plate(figure, Table(figure.name, figure.title, frame, columns, note, shown))


def _table(reached: dict[str, BudgetToReach], axis: str) -> Table:
    parts = [found.table.assign(group=name, target=found.target, hits=found.hits, at_least=found.at_least_trials)
             for name, found in reached.items()]  # fmt: skip
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[["group", "target", "hits", *frame.columns.drop(["group", "target", "hits"])]]
    frame = frame.replace([math.inf, -math.inf], math.nan)
    columns = [
        Column("group", "Target"), Column("target", "Score", "score"), Column("hits", "Reached it", "count"),
        Column("quantity", "Budget that reaches it"), Column("trials", "Configurations", "number"),
        Column("trials_lower", "From", "number"), Column("trials_upper", "To", "number", missing="open"),
    ]  # fmt: skip
    if axis:
        row = AXES[axis]
        columns += [Column(f"cost{side}", title, "quantity", row.unit, missing="open")
                    for side, title in (("", row.sum_title), ("_lower", "From"), ("_upper", "To"))]  # fmt: skip
    note = "mean: on average; 50 %, 90 %: with that probability. From, to: 95 %, of the share that reaches it alone."
    return Table("budget-to-reach", "Budgets that reach a target", frame, tuple(columns), note)


def said(name: str, found: BudgetToReach, axis: str) -> str:
    """One sentence on a target; axis: of the costs, or an empty string."""
    if not found.hits:
        least = f"It takes at least {found.at_least_trials:.3g} configurations on average"
        return f"Not reached: {found.target:.4f} ({name}). {least} ({100 * found.confidence:g} %)."
    mean, likely = found.table.iloc[0], found.table.iloc[-1]
    cost = f", {format_quantity(float(mean['cost']), AXES[axis].unit)}" if axis else ""
    return (
        f"{found.target:.4f} ({name}) was reached by {found.hits} of {found.trials} configurations. It takes "
        f"{_number(mean['trials'])} on average (95 % interval {_number(mean['trials_lower'])} to "
        f"{_number(mean['trials_upper'])}){cost}; {_number(likely['trials'])} reach it with a probability of "
        f"{likely['quantity']}."
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _known(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise


_PRESUMES = "Budgets to reach a target presume configurations drawn independently and trained to their end."


def _assumptions(tables: SweepTables, found: ExpectedBest, metric: SweepMetric, axis: str) -> tuple[str, ...]:
    entered, states = len(found.values), tables.trials["configuration"].nunique()
    notes = [
        f"{_PRESUMES} {entered} of {states} enter, each with the mean over its seeds and what all of them cost.",
        (
            "A target read off the scores it is asked of is reached by construction. The interval of one that is "
            "itself a score seen holds with at least 95 % all the same; the estimate makes it look easier than it is."
        ),
    ]
    if in_points(metric):
        notes.append(
            "0.5 and 1 points below the best depend on this sweep's best score, which is random: those intervals are "
            "approximate."
        )
    else:
        notes.append(f"Targets of {metric.name} are the best score and those that the best 10 and 25 % reach.")
    if found.failed:
        failed = f"{counted(found.failed, 'configuration')} with a failed seed count{'s' if found.failed == 1 else ''}"
        notes.append(f"{failed} as not reaching any target.")
    if axis:
        notes.append("Costs of configurations that reach it and of those that do not are taken as observed.")
    return tuple(notes)
