"""Groups side by side: a line each, told apart by colour, dash and the name at its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.figures.end_labels import GAP, Frame, label_heights
from greenexp.figures.figure import Figure
from greenexp.figures.scale import whole_ticks
from greenexp.figures.style import BLUE, GREEN, HEIGHT, INK, VERMILLION, chart, quantity

MOST_GROUPS = 8
"""Lines drawn; there is no telling more of them apart."""
WIDTH = 380
"""Of the plotting area: the names at the ends need the rest."""
WHITE = "#ffffff"
_COLOURS = (BLUE, VERMILLION, GREEN, INK)
_DASHES = ([1, 0], [7, 4], [2, 3], [10, 3, 2, 3])
_FILL = 0.07
"""Opacity of an area: several on top of each other leave the lines to be seen."""
_LETTERS = 20
"""Of a name at the end of a line."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A column, the title of its axis, and whether it counts whole things."""

    column: str
    title: str
    whole: bool = False


def comparison_figure(
    name: str,
    title: str,
    table: pd.DataFrame,
    x: Channel,
    y: Channel,
    ends: dict[str, str],
    *,
    step: bool = False,
    band: tuple[str, str] | None = None,
) -> Figure:
    """A line per group which ends, with a dot and the group's name, where the group's rows end.

    table: `group` and the columns of x and y, rows of a group in the order of x, at least one row; the first
    `MOST_GROUPS` groups are drawn. ends: group -> what stands behind its name at the end (`N = 12`).
    step: each value holds until the next row
    band: the columns of the lower and the upper bound of each line; where one is NaN, the area ends at the edge
    """
    groups = [str(group) for group in dict.fromkeys(table["group"])][:MOST_GROUPS]
    drawn = table[table["group"].isin(groups)]
    data: list[dict[str, Any]] = [
        {"group": str(group), "x": float(across), "y": float(up)}
        for group, across, up in zip(drawn["group"], drawn[x.column], drawn[y.column], strict=True)
    ]
    wide = _domain([row["x"] for row in data], 0.0)
    bounds = [float(bound) for side in band or () for bound in drawn[side].dropna()]
    high = _domain([*(row["y"] for row in data), *bounds], 0.06)
    frame = Frame(WIDTH, HEIGHT, (0.0, wide[1]) if step else wide, high)
    for side, edge in zip(band or (), high, strict=False):
        for row, bound in zip(data, drawn[side].tolist(), strict=True):
            known = math.isfinite(bound)
            row |= {side: float(bound) if known else edge, f"edge_{side}": float(bound) if known else None}
    lines = {group: [(row["x"], row["y"]) for row in data if row["group"] == group] for group in groups}
    names = {group: f"{_short(group)}{f' ({ends[group]})' if group in ends else ''}" for group in groups}
    heights = label_heights(lines, names, frame, step=step)
    labels = [
        {"group": group, "x": line[-1][0], "y": line[-1][1], "label": names[group], "at": heights[group]}
        for group, line in lines.items()
    ]
    across, up = _channel("x", x, frame.x), _channel("y", y, frame.y)
    layers = [*_areas(groups, across, up, band), *_layers(groups, labels, across, up, step=step)]
    return Figure(name, title, _alt(drawn, groups, x, y, band), chart(data, layers, width=WIDTH), drawn)


def _areas(
    groups: Sequence[str], x: dict[str, Any], y: dict[str, Any], band: tuple[str, str] | None
) -> list[dict[str, Any]]:
    """Between the bounds of each group, in the colour of its line, with an edge where there is a bound."""
    if band is None:
        return []
    looks = {"color": _look(groups, _colours(len(groups))), "detail": {"field": "group"}}
    area = {"type": "area", "opacity": _FILL, "clip": True}
    lower, upper = ({**y, "field": side} for side in band)
    fill = {"mark": area, "encoding": {"x": x, "y": lower, "y2": {"field": upper["field"]}, **looks}}
    line = {"type": "line", "strokeWidth": 1, "opacity": 0.7, "clip": True, "invalid": "break-paths-show-path-domains"}
    edges = [{"mark": line, "encoding": {"x": x, "y": {**y, "field": f"edge_{side}"}, **looks}} for side in band]
    return [fill, *edges]


def _layers(
    groups: Sequence[str], labels: Sequence[dict[str, Any]], x: dict[str, Any], y: dict[str, Any], *, step: bool
) -> list[dict[str, Any]]:
    """Lines, dots at their ends, and names, which stand on white where a line passes below."""
    line = {"type": "line", "strokeWidth": 2, **({"interpolate": "step-after"} if step else {})}
    color = {"color": _look(groups, _colours(len(groups)))}
    dashes = {"strokeDash": _look(groups, _dashes(len(groups)))}
    named = {"x": x, "y": {**y, "field": "at"}, "text": {"field": "label"}}
    text = {"type": "text", "align": "left", "dx": GAP, "fontSize": 12}
    ends = {"data": {"values": list(labels)}}
    return [
        {"mark": line, "encoding": {"x": x, "y": y, **color, **dashes}},
        {**ends, "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
         "encoding": {"x": x, "y": y, **color}},
        {**ends, "mark": {**text, "stroke": WHITE, "strokeWidth": 4, "color": WHITE}, "encoding": named},
        {**ends, "mark": text, "encoding": {**named, **color}},
    ]  # fmt: skip


def _channel(field: str, channel: Channel, domain: tuple[float, float]) -> dict[str, Any]:
    axis = whole_ticks(domain) if channel.whole else {"tickCount": 6}
    return quantity(field, channel.title, scale={"domain": list(domain), "nice": False, "zero": False}, axis=axis)


def _look(groups: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    scale = {"domain": list(groups), "range": list(values)}
    return {"field": "group", "type": "nominal", "legend": None, "scale": scale}


def _colours(count: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]


def _dashes(count: int) -> list[list[int]]:
    """Shifted by one in the second round, so that no two lines share colour and dash."""
    return [_DASHES[(place + place // len(_COLOURS)) % len(_DASHES)] for place in range(count)]


def _domain(values: Sequence[float], room: float) -> tuple[float, float]:
    """From the smallest to the largest value, with a share of room at both ends; never empty."""
    low, high = min(values), max(values)
    room = (high - low) * room or (0.0 if high > low else abs(high) * 0.05 or 1.0)
    return low - room, high + room


def _short(name: str) -> str:
    """Both ends of a long name."""
    half = _LETTERS // 2
    return name if len(name) <= _LETTERS else f"{name[: half - 1]}…{name[-half:]}"


def _alt(
    drawn: pd.DataFrame, groups: Sequence[str], x: Channel, y: Channel, band: tuple[str, str] | None = None
) -> str:
    """First and last point of every line, with the band at the last."""
    parts = []
    for group in groups:
        rows = drawn[drawn["group"] == group]
        first, last = rows.iloc[0], rows.iloc[-1]
        begin = f"{group} from {first[y.column]:.4g} at {first[x.column]:.4g}"
        ends = [f"{last[side]:.4g}" if last[side] == last[side] else "open" for side in band or ()]
        within = f" (band {ends[0]} to {ends[1]})" if ends else ""
        parts.append(f"{begin} to {last[y.column]:.4g} at {last[x.column]:.4g}{within}")
    return f"{y.title} over {x.title[0].lower()}{x.title[1:]}, one line per group: {'; '.join(parts)}."
