"""Views of one sweep that a study and its figures answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from greenexp.analysis.findings import Findings
from greenexp.analysis.search.progress import search_progress
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.overview import overview
from greenexp.analysis.views.compared_sweeps import compared_sweeps
from greenexp.analysis.views.contours import score_contour
from greenexp.analysis.views.decisions import scheduler_decisions
from greenexp.analysis.views.learning_curves import VALUES, learning_curves
from greenexp.analysis.views.one_trial import trial_view
from greenexp.analysis.views.operating_points import operating_point_table
from greenexp.analysis.views.over_seeds import configurations_over_seeds
from greenexp.analysis.views.parallel import parallel_coordinates
from greenexp.analysis.views.slices import score_slices
from greenexp.analysis.views.timeline import worker_timeline
from greenexp.analysis.views.why import why
from greenexp.api.statistics import compare, curve
from greenexp.errors import InputError
from greenexp.figures import Figure, incumbent_figure
from greenexp.figures.budget import budget_figure
from greenexp.figures.views import (
    compared_sweep_figures,
    configuration_figures,
    contour_figures,
    learning_curve_figures,
    operating_point_figures,
    parallel_figures,
    slice_figures,
    timeline_figures,
    trial_figures,
)
from greenexp.records.axes import AXES, EPOCHS
from greenexp.records.decision import Action
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.units import QUANTITIES, parse_quantity

TRIALS = "trials"
MOST_GROUPS = 12
"""Values of a field that are groups to compare; of more, none would have trials enough."""


def axes(tables: SweepTables) -> Sequence[str]:
    """The budget axes that were measured."""
    used = tables.ledger.set_index("axis")["used"]
    return [name for name in AXES if name in used and used[name] == used[name]]


def searched(tables: SweepTables) -> Sequence[str]:
    """The searched fields."""
    return tables.parameters


def grouping_fields(tables: SweepTables) -> Sequence[str]:
    """The searched fields that several configurations share a value of, and that have few."""
    drawn = tables.trials.drop_duplicates("configuration")
    counts = {path: drawn[PARAMS + path].nunique() for path in tables.parameters}
    return [path for path, count in counts.items() if count <= MOST_GROUPS and 2 * count <= len(drawn)]


def trials(tables: SweepTables) -> Sequence[str]:
    """The trials that have begun, in plan order."""
    begun = tables.trials[tables.trials["attempts"] > 0].sort_values("index")
    return [str(name) for name in begun["trial"]]


def values(_tables: SweepTables) -> Sequence[str]:
    """What a learning curve can be of."""
    return VALUES


def actions(_tables: SweepTables) -> Sequence[str]:
    """What a scheduler can decide."""
    return [action.value for action in Action]


def groupings(tables: SweepTables) -> Sequence[str]:
    """What curves can be told apart by: the configuration, the status, or a searched field."""
    return ("configuration", "status", *tables.parameters)


def report_axes(tables: SweepTables) -> Sequence[str]:
    """The axes on which a report lies: epochs, and the measured ones that add up over reports."""
    return [name for name in axes(tables) if AXES[name].per == "epoch" and name in (EPOCHS, *tables.epochs)]


def overview_view(tables: SweepTables) -> Findings:
    """State, budget and the best configurations."""
    found = overview(tables)
    progress = search_progress(tables)
    figures = [budget_figure(found["budget"])]
    figures += [incumbent_figure(progress, metric_of(tables))] if len(progress.incumbent) else []
    return dataclasses.replace(found, figures=tuple(figure for figure in figures if figure is not None))


def tuning_curve_view(tables: SweepTables, axis: str = TRIALS, by: str = "") -> Findings:
    """The expected best over numbers of configurations, or over what they cost, with bands, per group."""
    return curve(tables, cost=None if axis == TRIALS else axis, by=by or None)


def groups_view(tables: SweepTables, axis: str = TRIALS, by: str = "", budgets: str = "") -> Findings:
    """The values of a searched field against each other, at equal numbers of configurations or at equal cost.

    budgets: amounts to look at, with units, separated by commas: `0.5 kWh, 1 kWh`; their unit says the axis, if none is
        given
    """
    field = by or tables.spec.search.per or next(iter(grouping_fields(tables)), "")
    if not field:
        return Findings(refusal="no searched field has few values, so there are no groups to compare")
    axis = _axis_of(budgets, axes(tables)) if axis == TRIALS else axis
    return compare(tables, cost=None if axis == TRIALS else axis, by=field, budgets=_amounts(budgets, axis))


def _amounts(text: str, axis: str) -> tuple[float, ...] | None:
    """The amounts of a text in the unit of the axis, None for none. InputError for what is none."""
    unit, parts = AXES[axis].unit, [part.strip() for part in text.split(",") if part.strip()]
    try:
        return tuple(parse_quantity(part, unit) if unit in QUANTITIES else float(part) for part in parts) or None
    except ValueError as error:
        why = str(error) if unit in QUANTITIES else f"expected numbers of {AXES[axis].title.lower()}, received {text!r}"
        raise InputError(f"budgets: {why}") from error


def _axis_of(text: str, known: Sequence[str]) -> str:
    """The first measured axis in whose unit the budgets are written, as in `1 kWh`; `trials` if there is none."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for axis in known if any(part[-1:].isalpha() for part in parts) else ():
        with suppress(ValueError):
            if AXES[axis].unit in QUANTITIES and all(parse_quantity(part, AXES[axis].unit) >= 0 for part in parts):
                return axis
    return TRIALS


def learning_curves_view(
    tables: SweepTables, value: str = "score", axis: str = EPOCHS, by: str = "", trials: Sequence[str] = ()
) -> Findings:
    """Every trial's scores or losses, to where it ended."""
    found = learning_curves(tables, value=value, axis=axis, by=by, trials=list(trials) or None)
    return _drawn(found, learning_curve_figures)


def configurations_view(tables: SweepTables) -> Findings:
    """Mean and standard deviation over seeds, with every seed."""
    return _drawn(configurations_over_seeds(tables), configuration_figures)


def timeline_view(tables: SweepTables) -> Findings:
    """Which worker ran what when."""
    return _drawn(worker_timeline(tables), timeline_figures)


def decisions_view(tables: SweepTables, action: str = "", trial: str = "") -> Findings:
    """Every decision of the scheduler in a sentence."""
    found = scheduler_decisions(tables, action=action, trial=trial)
    if trial and found.refusal:  # what ended it may be no decision
        return Findings(verdict=(why(tables, trial),), notes=(f"On {trial} {found.refusal}.",))
    return dataclasses.replace(found, verdict=(why(tables, trial), *found.verdict)) if trial else found


def parallel_view(tables: SweepTables) -> Findings:
    """A line per configuration over the searched fields and the score."""
    return _drawn(parallel_coordinates(tables), parallel_figures)


def slices_view(tables: SweepTables, fields: Sequence[str] = ()) -> Findings:
    """Score against each searched field."""
    return _drawn(score_slices(tables, list(fields) or None), slice_figures)


def contour_view(tables: SweepTables, x: str = "", y: str = "") -> Findings:
    """Score over two searched fields."""
    return _drawn(score_contour(tables, x or None, y or None), contour_figures)


def one_trial_view(tables: SweepTables, trial: str = "") -> Findings:
    """One trial whole, by default the best one."""
    named = trial or next(iter(chosen_trials(tables).trials), "") or next(iter(trials(tables)), "")
    if not named:
        return Findings(refusal="no trial has begun yet")
    return _drawn(trial_view(tables, named), trial_figures)


def thresholds_view(tables: SweepTables, trial: str = "") -> Findings:
    """Every threshold of every policy of one trial, with its score, its cost and where examples leave."""
    return _drawn(operating_point_table(tables, trial or None), operating_point_figures)


def compare_view(tables: SweepTables, others: Mapping[str, SweepTables] | None = None, axis: str = EPOCHS) -> Findings:
    """A sweep beside others."""
    if not others:
        return Findings(refusal="there is no other sweep to stand beside this one: choose one or several")
    names = {tables.history.name: tables}
    for name, other in others.items():
        names[name if name not in names else f"{name} ({len(names)})"] = other
    return _drawn(compared_sweeps(names, axis), compared_sweep_figures)


def _drawn(found: Findings, draw: Callable[[Findings], tuple[Figure, ...]]) -> Findings:
    """The findings with their figures, if there is something to draw."""
    return found if found.refusal else dataclasses.replace(found, figures=draw(found))
