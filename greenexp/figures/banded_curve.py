"""A curve inside its simultaneous confidence bands."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from greenexp.figures.comparison import Channel
from greenexp.figures.figure import Figure
from greenexp.figures.scale import whole_ticks
from greenexp.figures.style import BLUE, INK, VERMILLION, chart, quantity, title_lines

_FILLS, _DASHES = (0.2, 0.1), ([1, 0], [6, 4])
"""By confidence, the smaller first: opacity of the area and dash of its edges."""
_MOST_MARKS = 30
"""Places beyond which a mark at each would hide the line."""


def banded_curve_figure(
    name: str,
    title: str,
    table: pd.DataFrame,
    x: Channel,
    y: Channel,
    confidences: Sequence[str],
    *,
    zero: bool = False,
) -> Figure:
    """The curve with a diamond at every place, within an area for each of one or two confidences, the smaller first.

    table: the columns of x and y, and lower_C, upper_C for each C of `confidences` (`80`), ascending in x, at least one
    row; an open bound is NaN, and its area runs to the edge of the drawing; where both are open there is no area, which
    would fill the drawing and say nothing. zero: a line there, to be told apart from.
    """
    low, high = _domain(table, y.column, confidences, zero=zero)
    columns = [f"{side}_{confidence}" for confidence in confidences for side in ("lower", "upper")]
    data = [
        {"x": float(row[x.column]), "value": float(row[y.column]), **_sides(row, columns, low, high)}
        for row in table[[x.column, y.column, *columns]].to_dict("records")
    ]
    ticks = whole_ticks(table[x.column]) if x.whole else {"tickCount": 6}
    across = quantity("x", x.title, scale={"zero": False, "nice": False}, axis=ticks)
    up = quantity("value", title_lines(y.title), scale={"domain": [low, high], "nice": False, "zero": False})
    layers = _layers(across, up, confidences, marks=len(data) <= _MOST_MARKS, zero=zero)
    return Figure(name, title, _alt(table, x, y, confidences), chart(data, layers), table)


def _sides(row: Mapping[Hashable, Any], columns: Sequence[str], low: float, high: float) -> dict[str, float | None]:
    """The bounds as ends of an area, open ones at the edge, and as points of a line, which has no open ones."""
    found: dict[str, float | None] = {}
    for column in columns:
        bound = float(row[column])
        is_lower, confidence = column.startswith("lower"), column.rpartition("_")[2]
        edge = low if is_lower else high
        unknown = math.isnan(float(row[f"{'upper' if is_lower else 'lower'}_{confidence}"]))
        end = bound if not math.isnan(bound) else None if unknown else edge
        found |= {column: end, f"line_{column}": None if math.isnan(bound) else bound}
    return found


def _layers(
    x: dict[str, Any], y: dict[str, Any], confidences: Sequence[str], *, marks: bool, zero: bool
) -> list[dict[str, Any]]:
    names = ["curve", *(f"{confidence} % band" for confidence in confidences)]
    looks = [
        ("color", [VERMILLION, *[BLUE] * len(confidences)]),
        ("strokeDash", [[1, 0], *_DASHES[: len(confidences)]]),
    ]
    legend = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.5}

    def look(kind: str) -> dict[str, Any]:
        return {
            channel: {"datum": kind, "type": "nominal", "title": None, "legend": legend,
                      "scale": {"domain": names, "range": values}}
            for channel, values in looks
        }  # fmt: skip

    areas: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for confidence, fill, kind in list(zip(confidences, _FILLS, names[1:], strict=False))[::-1]:
        lower, upper = ({**y, "field": f"{side}_{confidence}"} for side in ("lower", "upper"))
        area = {"type": "area", "color": BLUE, "opacity": fill, "clip": True}
        areas.append({"mark": area, "encoding": {"x": x, "y": lower, "y2": {"field": upper["field"]}}})
        line = {"type": "line", "strokeWidth": 1.2, "clip": True, "invalid": "break-paths-show-path-domains"}
        for side in ("lower", "upper"):
            up = {**y, "field": f"line_{side}_{confidence}"}
            edges.append({"mark": line, "encoding": {"x": x, "y": up, **look(kind)}})
    layers: list[dict[str, Any]] = [
        *areas,
        *edges,
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, **look("curve")}},
    ]
    if zero:
        layers.append({"mark": {"type": "rule", "color": INK, "strokeWidth": 1}, "encoding": {"y": {"datum": 0}}})
    if marks:
        point = {"type": "point", "shape": "diamond", "filled": True, "color": VERMILLION, "size": 45, "opacity": 1}
        layers.append({"mark": point, "encoding": {"x": x, "y": y}})
    return layers


def _domain(table: pd.DataFrame, value: str, confidences: Sequence[str], *, zero: bool) -> tuple[float, float]:
    """What is finite, with some room; an open bound then ends at an edge that nothing else touches."""
    columns = [value, *(f"{side}_{confidence}" for confidence in confidences for side in ("lower", "upper"))]
    low, high = float(table[columns].min().min()), float(table[columns].max().max())
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = 0.08 * (high - low) or abs(high) * 0.05 or 1.0
    return low - room, high + room


def _alt(table: pd.DataFrame, x: Channel, y: Channel, confidences: Sequence[str]) -> str:
    """The first and the last place, with the widest band."""
    widest = confidences[-1]
    parts = []
    for row in [table.iloc[0], table.iloc[-1]][: len(table)]:
        ends = [float(row[f"{side}_{widest}"]) for side in ("lower", "upper")]
        parts.append(f"{row[y.column]:.4f} at {row[x.column]:.4g} ({_band(*ends)})")
    bands = " and ".join(f"{confidence} %" for confidence in confidences)
    both = table[[f"lower_{widest}", f"upper_{widest}"]].isna().all(axis=1).any()
    nothing = ", and both bounds are open where there is no area" if both else ""
    return (
        f"Curve of {y.title[0].lower()}{y.title[1:]} over {x.title[0].lower()}{x.title[1:]} with its {bands} "
        f"confidence band{'s' if len(confidences) > 1 else ''}: {', '.join(parts)}; an area that meets an edge of "
        f"the drawing is open there{nothing}."
    )


def _band(lower: float, upper: float) -> str:
    if math.isnan(lower) and math.isnan(upper):
        return "band without bounds"
    ends = ["open" if math.isnan(end) else f"{end:.4f}" for end in (lower, upper)]
    return f"band {' to '.join(ends)}"
