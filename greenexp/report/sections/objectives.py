"""The result of a search with several objectives: the configurations that no other dominates."""

from __future__ import annotations

from greenexp.analysis.fronts.objectives import ObjectiveFront, objective_front
from greenexp.analysis.sweeps.metric import SweepMetric, metric_of
from greenexp.figures import Channel, comparison_figure, objectives_figure
from greenexp.figures.scale import axis_unit
from greenexp.records.objectives import SCORE, UNITS
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report.section import Plate, Section
from greenexp.report.sections.wording import counted, listed
from greenexp.report.table import Column, Table
from greenexp.units import format_quantity

NAME, TITLE = "objectives", "Several objectives"


def section(tables: SweepTables) -> Section:
    """The front over the objectives, its hypervolume over configurations, or that there is one objective."""
    metric, found = metric_of(tables), objective_front(tables)
    if len(found.objectives) == 1:
        return Section(NAME, TITLE, ("One objective: the score (no objectives in the sweep file).",))
    if not found.table["counts"].any():
        return Section(NAME, TITLE, (f"No front: {found.refusal}.",), assumptions=_assumptions(found, metric))
    return Section(
        name=NAME,
        title=TITLE,
        headline=(_said_front(found), *_said_volume(found)),
        plates=(_plane(found, metric), *_volume(found)),
        tables=(_front_table(found, tables),),
        assumptions=_assumptions(found, metric),
    )


def _value(name: str, value: float) -> str:
    return f"{value:.4f}" if name == SCORE else format_quantity(value, UNITS[name])


def _column(name: str) -> Column:
    title = "Score" if name == SCORE else name
    return Column(name, title, "score") if name == SCORE else Column(name, title, "quantity", UNITS[name])


def _said_front(found: ObjectiveFront) -> str:
    front, number = found.front, int(found.table["counts"].sum())
    names = [str(name) for name in front["configuration"]]
    return (
        f"Of {counted(number, 'configuration')} with all objectives, {len(front)} "
        f"{'is' if len(front) == 1 else 'are'} not dominated by another: {listed(names)}."
    )


def _said_volume(found: ObjectiveFront) -> tuple[str, ...]:
    if found.refusal:
        return (f"No hypervolume: {found.refusal}.",)
    last = found.curve.iloc[-1]
    corner = ", ".join(f"{name} {_value(name, value)}" for name, value in found.reference.items())
    half = found.curve[found.curve["hypervolume"] >= last["hypervolume"] / 2].iloc[0]
    if last["hypervolume"] == 0:
        return (f"The hypervolume is 0: nothing is better than the reference ({corner}) in every objective.",)
    said = f"Hypervolume after {int(last['configurations'])} configurations: {last['hypervolume']:.4g}"
    return (f"{said}, of which half was there after {int(half['configurations'])} (reference: {corner}).",)


def _plane(found: ObjectiveFront, metric: SweepMetric) -> Plate:
    """The score against the first cost."""
    cost = found.objectives[1]
    rows = found.table[found.table["counts"]].reset_index(drop=True)
    divisor, unit = axis_unit(UNITS[cost], float(rows[cost].max()))
    scaled = rows.assign(cost=rows[cost] / divisor)
    line = len(found.objectives) == 2
    across, up = Channel("cost", f"{cost} ({unit})" if unit else cost), Channel(SCORE, metric.label)
    figure = objectives_figure(scaled[["configuration", "cost", SCORE, "on_front"]], across, up, line=line)
    columns = (
        Column("configuration", "Configuration", "name"),
        *map(_column, found.objectives),
        Column("on_front", "Not dominated"),
    )
    note = "Means over seeds, in the order in which the configurations ended."
    shown = rows[["configuration", *found.objectives, "on_front"]]
    return Plate(figure, Table(figure.name, figure.title, shown, columns, note))


def _volume(found: ObjectiveFront) -> tuple[Plate, ...]:
    """The hypervolume over configurations."""
    if len(found.curve) < 2 or not found.curve["hypervolume"].any():
        return ()
    title = "Hypervolume of the first n configurations to end"
    across = Channel("configurations", "Configurations", whole=True)
    figure = comparison_figure(
        "objectives-hypervolume", title, found.curve.assign(group="this search"), across,
        Channel("hypervolume", "Hypervolume"), {}, step=True,
    )  # fmt: skip
    columns = (Column("configurations", "Configurations", "count"), Column("hypervolume", "Hypervolume", "number"))
    return (Plate(figure, Table(figure.name, title, found.curve, columns, "Of the search as it went.")),)


def _front_table(found: ObjectiveFront, tables: SweepTables) -> Table:
    columns = (
        Column("configuration", "Configuration", "name"),
        *map(_column, found.objectives),
        *(Column(PARAMS + path, path, "number", missing="none") for path in tables.parameters),
    )
    front = found.front[[column.name for column in columns]]
    return Table("objectives-front", "Configurations that no other dominates", front, columns, "Means over seeds.")


def _assumptions(found: ObjectiveFront, metric: SweepMetric) -> tuple[str, ...]:
    left = found.table[~found.table["counts"]]
    ways = ", ".join(f"{name} ({way})" for name, way in zip(found.objectives, found.directions, strict=True))
    notes = [
        (
            f"Objectives: {ways}. The score is {metric.label}; inference_flops are those of the exits that it is of, "
            "at the best epoch; parameters are those of the whole model with all its exits; other costs are of all "
            "epochs of a trial, each counted once."
        ),
        (
            "The front is chosen by the values that it is shown with, so it is too good on average. The reference is "
            "the worst value of each objective among the configurations that count: another sweep has another one."
        ),
    ]
    if len(left):
        states = left["state"].value_counts()
        parts = [f"{count} {state}" for state, count in states.items()]
        notes.append(
            f"{counted(len(left), 'configuration')} left out ({', '.join(parts)}): not trained to the end with all "
            "seeds, or an objective was not measured."
        )
    return tuple(notes)
