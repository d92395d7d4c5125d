"""Views of one sweep that a study and its figures answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from greenexp.analysis.findings import Findings
from greenexp.analysis.search.progress import search_progress
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.overview import overview
from greenexp.api.statistics import curve
from greenexp.figures import incumbent_figure
from greenexp.figures.budget import budget_figure
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables

TRIALS = "trials"


def axes(tables: SweepTables) -> Sequence[str]:
    """The budget axes that were measured."""
    used = tables.ledger.set_index("axis")["used"]
    return [name for name in AXES if name in used and used[name] == used[name]]


def searched(tables: SweepTables) -> Sequence[str]:
    """The searched fields."""
    return tables.parameters


def trials(tables: SweepTables) -> Sequence[str]:
    """The trials that have begun, in plan order."""
    begun = tables.trials[tables.trials["attempts"] > 0].sort_values("index")
    return [str(name) for name in begun["trial"]]


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
