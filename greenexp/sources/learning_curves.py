"""Recorded learning curves, from a table with a row per run and evaluation, or from a sweep that stopped no trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from greenexp.analysis.search.draws import drawn_configurations, not_drawn
from greenexp.analysis.stopping.simulate_curves import RecordedCurves, recorded_curves, sweep_points
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.errors import InputError
from greenexp.records.axes import AXES
from greenexp.records.objectives import SCORE
from greenexp.records.tables import OBJECTIVES, SweepTables
from greenexp.sources.columns import NOT_SET, Cells, read_columns
from greenexp.sources.files import is_table, read_file
from greenexp.sources.frames import read_frame
from greenexp.sources.tables import WithTables, tables_of

CurveSource: TypeAlias = str | Path | pd.DataFrame | SweepTables | RecordedCurves | WithTables
PARTS = 9
"""Parts of a schedule where nobody says: two rungs by the usual reduction factor, 3."""
_COLUMNS = ("score", "run", "resource", "configuration", "minimize")
_DEFAULTS = {"score": "score", "run": "run", "resource": "step"}


@dataclass(frozen=True, slots=True)
class CurveRequest:
    """What to read of recorded runs.

    score, run, resource, configuration, minimize: of a table: the score of a run at a step, which run a row belongs to,
        how far the run had come, which runs are seeds of one configuration; a smaller score is better
    cost: what the run had used by then: a column, or of a sweep a budget axis; None: the resource, or epochs
    parts: equal parts of a run's own schedule, None: PARTS, or of a sweep its reports
    objectives: costs among several objectives, less is better: columns of a table, as they are at a step, or of a sweep
        names of `records.objectives`; `score` among them is the score. None: of a sweep those of its file
    best_so_far: judge by the best score so far, else by the score at a rung
    """

    score: str | None = None
    run: str | None = None
    resource: str | None = None
    cost: str | None = None
    configuration: str | None = None
    objectives: tuple[str, ...] | None = None
    parts: int | None = None
    best_so_far: bool = True
    minimize: bool = False


def read_curves(source: CurveSource, request: CurveRequest | None = None) -> RecordedCurves:
    """The curves at `source`: a table in a file or a data frame, a sweep's folder or address, or curves as they are.

    Raises InputError for what is wrong with a table, with its place, and for a sweep of which not every trial ran to
    its end.
    """
    request = request or CurveRequest()
    if isinstance(source, RecordedCurves):
        return source
    try:
        if isinstance(source, pd.DataFrame):
            return _of_table(read_frame(source), request)
        if isinstance(source, str | Path) and (is_table(source) or Path(source).is_file()):
            return _of_table(read_file(Path(source)), request)
        return _of_sweep(source, request)
    except ValueError as error:  # what the analysis refuses is something in the source
        raise InputError(str(error)) from error


def _of_table(cells: Cells, request: CurveRequest) -> RecordedCurves:
    numbers = {name: getattr(request, name) or _DEFAULTS[name] for name in ("resource", "score")}
    words = {"run": request.run or _DEFAULTS["run"]}
    if request.cost is not None:
        numbers["cost"] = request.cost
    costs = _costs(request.objectives or ())
    numbers |= {OBJECTIVES + name: name for name in costs}
    if request.configuration is not None:
        words["configuration"] = request.configuration
    columns = read_columns(cells, list(dict.fromkeys(numbers.values())), list(dict.fromkeys(words.values())))
    for name in words.values():
        if NOT_SET in columns.words[name]:
            raise InputError(f"{columns.place(columns.words[name].index(NOT_SET))}: column '{name}' is empty here")
    for name in costs:
        bad = np.flatnonzero(~np.isfinite(columns.numbers[name]))
        if bad.size:
            raise InputError(
                f"{columns.place(int(bad[0]))}: objectives: column '{name}' has no finite number here, nor in "
                f"{bad.size - 1} further rows; every point of a curve needs all objectives"
            )
    points = pd.DataFrame(
        {name: columns.numbers[column] for name, column in numbers.items()}
        | {name: columns.words[column] for name, column in words.items()}
    )
    parts = request.parts or PARTS
    how = {"best_so_far": request.best_so_far, "minimize": request.minimize}
    curves = recorded_curves(points, parts, objectives=costs, **how)
    return dataclasses.replace(curves, cost_axis=_axis(numbers.get("cost", numbers["resource"])))


def _of_sweep(source: str | Path | SweepTables | WithTables, request: CurveRequest) -> RecordedCurves:
    given = [name for name in _COLUMNS if getattr(request, name)]
    if given:
        raise InputError(f"{', '.join(given)}: only for a table; the record of a sweep says this itself")
    if isinstance(source, str | Path) and "://" not in str(source) and not Path(source).is_dir():
        raise InputError(f"there is no file or folder {source}")
    tables = tables_of(source)
    costs, lacking = _recorded_costs(tables, request.objectives)
    points, remarks = _drawn_alone(sweep_points(tables, request.cost or "epochs", costs), tables)
    on_a_part = tables.epochs["dev_examples"].notna().any()
    reports = int(tables.trials["max_epochs"].max()) * (1 if on_a_part else tables.spec.training.reports_per_epoch)
    parts = request.parts or reports
    how = {"best_so_far": request.best_so_far, "minimize": metric_of(tables).minimize}
    curves = recorded_curves(points, parts, objectives=costs, **how)
    return dataclasses.replace(curves, remarks=(*remarks, *lacking), cost_axis=_axis(request.cost or "epochs"))


def _costs(objectives: Sequence[str]) -> tuple[str, ...]:
    """The costs among objectives, each once; of a sweep file the score stands first."""
    return tuple(name for name in dict.fromkeys(objectives) if name != SCORE)


def _recorded_costs(tables: SweepTables, asked: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The costs among the objectives of a sweep, and remarks: those that nobody asked for are left out if unknown."""
    if asked is not None:
        return _costs(asked), ()
    costs = _costs(tables.spec.objectives)
    try:
        sweep_points(tables, objectives=costs)
    except ValueError as error:
        return (), (f"The score is taken as the only objective: {error}.",) if costs else ()
    return costs, ()


def _axis(name: str) -> str:
    """The budget axis of this name, or ""."""
    return name if name in AXES else ""


def _drawn_alone(points: pd.DataFrame, tables: SweepTables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The points of the configurations that are draws, where some are; a search is simulated by drawing from them."""
    why, drawn = not_drawn(tables), drawn_configurations(tables)
    if not why:
        return points, ()
    if not any(drawn.values()):
        return points, (f"{why}; the simulation takes them for such.",)
    kept = points[points["configuration"].map(drawn)].reset_index(drop=True)
    return kept, (f"{why}: they are left out.",)
