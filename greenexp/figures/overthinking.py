"""What each exit gets right, and what is lost again after it."""

from __future__ import annotations

from typing import Any

from greenexp.analysis.exits.overthinking import Overthinking
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, VERMILLION, chart

_LINES = {
    "right": ("right here", BLUE, "circle"),
    "first_right": ("right here for the first time", GREEN, "square"),
    "right_then_wrong": ("right here, wrong at the last exit", VERMILLION, "triangle-up"),
}


def overthinking_figure(found: Overthinking) -> Figure:
    """Three lines over the exits: share right, right for the first time, right here and wrong at the last exit."""
    table = found.exits
    data = [
        {"exit": int(number), "share": float(share), "kind": _LINES[column][0]}
        for column in _LINES
        for number, share in zip(table["exit"], table[column], strict=True)
    ]
    names, colours, shapes = (list(values) for values in zip(*_LINES.values(), strict=True))
    x = {"field": "exit", "type": "ordinal", "title": "Exit", "axis": {"labelAngle": 0}}
    y = {"field": "share", "type": "quantitative", "title": "Share of dev examples, mean over seeds",
         "scale": {"domain": [0, 1]}, "axis": {"format": ".0%", "tickCount": 6}}  # fmt: skip
    looks: dict[str, Any] = {
        channel: {"field": "kind", "type": "nominal", "title": None, "scale": {"domain": names, "range": values},
                  "legend": {"columns": 2}}
        for channel, values in (("color", colours), ("shape", shapes))
    }  # fmt: skip
    layers = [
        {"mark": {"type": "line", "strokeWidth": 2},
         "encoding": {"x": x, "y": y, "color": looks["color"]}},
        {"mark": {"type": "point", "filled": True, "size": 80, "opacity": 1}, "encoding": {"x": x, "y": y, **looks}},
    ]  # fmt: skip
    first, last = table.iloc[0], table.iloc[-1]
    ends = [int(table["exit"].iloc[place]) for place in (0, -1)]
    alt = (
        f"Lines over the exits: share right from {_percent(first['right'])} at exit {ends[0]} to "
        f"{_percent(last['right'])} at exit {ends[1]}; right for the first time from "
        f"{_percent(first['first_right'])} to {_percent(last['first_right'])}; right there and wrong at the last exit "
        f"{_percent(first['right_then_wrong'])} at exit {ends[0]}."
    )
    return Figure("overthinking", "What each exit gets right, and the last exit wrong", alt, chart(data, layers), table)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
