"""Configurations in the plane of two objectives: those that no other dominates, and the rest."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.comparison import Channel
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREY, chart, quantity

_FRONT, _REST = "not dominated", "dominated"


def objectives_figure(table: pd.DataFrame, x: Channel, y: Channel, *, line: bool) -> Figure:
    """Filled circles on the front, grey squares elsewhere; `line`: a step line through the front, of two objectives.

    table: configuration, on_front and the columns of x and y, at least one row
    """
    data: list[dict[str, Any]] = [
        {"x": float(row[x.column]), "y": float(row[y.column]), "kind": _FRONT if row["on_front"] else _REST}
        for row in table.sort_values([x.column, y.column], kind="stable").to_dict("records")
    ]
    across = quantity("x", x.title, scale=_scale([row["x"] for row in data]))
    up = quantity("y", y.title, scale=_scale([row["y"] for row in data]))
    kinds = [kind for kind in (_FRONT, _REST) if any(row["kind"] == kind for row in data)]
    looks = {"color": {_FRONT: BLUE, _REST: GREY}, "shape": {_FRONT: "circle", _REST: "square"}}
    shown: dict[str, Any] = {
        channel: {"field": "kind", "type": "nominal", "title": None,
                  "scale": {"domain": kinds, "range": [values[kind] for kind in kinds]}}
        for channel, values in looks.items()
    }  # fmt: skip
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.85},
         "encoding": {"x": across, "y": up, **shown}},
    ]  # fmt: skip
    if line:
        step = {"type": "line", "interpolate": "step-after", "color": BLUE, "strokeWidth": 1.5}
        on_front = [{"filter": f"datum.kind === '{_FRONT}'"}]
        layers.insert(0, {"transform": on_front, "mark": step, "encoding": {"x": across, "y": up}})
    front = table[table["on_front"]].sort_values(x.column)
    ends = [f"{row[y.column]:.4g} at {row[x.column]:.4g}" for _, row in front.iloc[[0, -1]].iterrows()]
    alt = (
        f"{y.title} against {x.title[0].lower()}{x.title[1:]} of {len(table)} configurations, {len(front)} of them not "
        f"dominated, from {' to '.join(dict.fromkeys(ends))}."
    )
    return Figure("objectives", "Configurations by their objectives", alt, chart(data, layers), table)


def _scale(values: list[float]) -> dict[str, Any]:
    """From the smallest to the largest with some room at both ends, also where all are equal."""
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return {"domain": [low - room, high + room], "zero": False, "nice": True}
