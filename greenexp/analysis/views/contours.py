"""The score over two searched fields: a point per configuration, and a surface between them where there are enough.

The surface is linear interpolation on the triangles of a Delaunay triangulation of the configurations, in the
coordinates of the axes (0 to 1 on a field's own scale, logarithmic where the space is), at the middle of `CELLS` x
`CELLS` cells; outside of the triangles there is none. Of configurations at one place the mean is taken. Source:
scipy.interpolate.griddata. It is no model: it follows the noise of every score. Only configurations whose seeds trained
to the end carry it, as a score of shorter training is another quantity.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described, of_score
from greenexp.analysis.views.parallel import COMPLETE, SCORE_FIELD, parallel_coordinates, status_notes
from greenexp.analysis.views.searched import (
    CATEGORY,
    LOG,
    FieldAxis,
    axes_table,
    field_axes,
    field_named,
    field_values,
    ticks_table,
)
from greenexp.errors import InputError
from greenexp.records.tables import SweepTables

FEWEST = 10
"""Configurations below which no surface is drawn."""
CELLS = 30
POINTS = (
    "configuration", "settings", "x_value", "y_value", "x", "y", "x_position", "y_position", "score", "status", "seeds",
    "place",
)  # fmt: skip
SURFACE = ("x_low", "x_high", "y_low", "y_high", "score")


def score_contour(tables: SweepTables, x: str | None = None, y: str | None = None) -> Findings:
    """Tables `points` (POINTS, a row per configuration with a score and both fields), `surface` (SURFACE), `axes`.

    x, y: searched fields; by default the first two that are numbers, then the others. InputError for another name
    `surface` is empty where there is none, and a note says why. x, y: numbers, NaN for categories; x_value, y_value: in
    words; corners of the surface's cells are in the unit of the field. status: as of `parallel_coordinates`
    """
    lines = parallel_coordinates(tables)
    if lines.refusal:
        return lines
    axes = field_axes(tables, field_values(tables))
    chosen = _chosen(tables, axes, x, y)
    if len(chosen) < 2:
        return Findings(refusal="one field was searched, and a contour is over two")
    points = _points(lines["points"], chosen)
    if points.empty:
        return Findings(refusal=f"no configuration with a score has both {chosen[0].field} and {chosen[1].field}")
    surface, why = _surface(points, chosen)
    metric = metric_of(tables)
    how = "The surface is interpolated linearly between the configurations that trained to the end; it is no model."
    return Findings(
        verdict=(f"{len(points)} configurations with a score over {chosen[0].label} and {chosen[1].label}.",),
        tables={
            "points": points, "surface": surface,
            "axes": axes_table(chosen).assign(channel=["x", "y"]), "ticks": ticks_table(chosen),
            COLUMNS: described(
                of_score(metric), ViewColumn("x", chosen[0].field, scale=chosen[0].kind),
                ViewColumn("y", chosen[1].field, scale=chosen[1].kind),
            ),
        },
        titles={
            "points": f"{metric.label} over two fields", "surface": "Interpolated score", "axes": "The two axes",
            "ticks": "Marks along the axes", COLUMNS: "Columns",
        },
        notes=(how if not why else f"No surface is drawn: {why}.", *status_notes(points["status"], metric.bound)),
        warnings=tables.remarks.warnings,
    )  # fmt: skip


def _chosen(tables: SweepTables, axes: list[FieldAxis], x: str | None, y: str | None) -> list[FieldAxis]:
    """The axes of x and y; numbers first where a field was not named."""
    by_name = {axis.field: axis for axis in axes}
    named = [None if name is None else field_named(tables, name) for name in (x, y)]
    if named[0] is not None and named[0] == named[1]:
        raise InputError(f"x and y are one field, {named[0]}: a contour is over two")
    free = sorted((axis for axis in axes if axis.field not in named), key=lambda axis: axis.kind == CATEGORY)
    picked = [by_name[name] if name is not None else (free.pop(0) if free else None) for name in named]
    return [axis for axis in picked if axis is not None]


def _points(lines: pd.DataFrame, axes: list[FieldAxis]) -> pd.DataFrame:
    """One row per configuration that has a position on both axes and a score."""
    score = lines[(lines["field"] == SCORE_FIELD) & lines["score"].notna()]
    frame = score[["configuration", "settings", "place", "score", "status", "seeds"]]
    for name, axis in zip(("x", "y"), axes, strict=True):
        own = lines[(lines["field"] == axis.field) & lines["position"].notna()]
        own = own[["configuration", "value", "number", "position"]]
        renamed = {"value": f"{name}_value", "number": name, "position": f"{name}_position"}
        frame = frame.merge(own.rename(columns=renamed), on="configuration")
    return frame[list(POINTS)].reset_index(drop=True)


def _surface(points: pd.DataFrame, axes: list[FieldAxis]) -> tuple[pd.DataFrame, str]:
    """The cells of the surface, or none and why."""
    none = pd.DataFrame(columns=list(SURFACE), dtype="float64")
    if any(axis.kind == CATEGORY for axis in axes):
        return none, "there is nothing between the values of a category"
    whole = points[points["status"] == COMPLETE]
    places = whole.groupby(["x_position", "y_position"])["score"].mean().reset_index()
    if len(places) < FEWEST:
        return none, (
            f"{len(places)} configurations at different places trained to the end with all their seeds, and {FEWEST} "
            "are needed"
        )
    from scipy.interpolate import griddata
    from scipy.spatial import QhullError

    edges = np.linspace(0, 1, CELLS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    across, up = np.meshgrid(middles, middles)
    try:
        heights = griddata(places[["x_position", "y_position"]].to_numpy(), places["score"].to_numpy(), (across, up))
    except QhullError:
        return none, "the configurations lie on one line"
    low_x, low_y = (np.array([_value(axis, edge) for edge in edges]) for axis in axes)
    rows: list[dict[str, Any]] = [
        {"x_low": low_x[i], "x_high": low_x[i + 1], "y_low": low_y[j], "y_high": low_y[j + 1], "score": heights[j, i]}
        for j in range(CELLS)
        for i in range(CELLS)
        if math.isfinite(heights[j, i])
    ]
    return pd.DataFrame(rows, columns=list(SURFACE)), "" if rows else "no cell lies between the configurations"


def _value(axis: FieldAxis, position: float) -> float:
    """The number at a position of an axis."""
    if axis.kind == LOG:
        return float(axis.low * (axis.high / axis.low) ** position)
    return axis.low + position * (axis.high - axis.low)
