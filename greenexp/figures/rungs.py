"""What happened to trials at every rung."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, INK, ORANGE, VERMILLION, chart

_OUTCOMES = {"went_on": ("went on", BLUE), "stopped": ("stopped", VERMILLION), "waiting": ("waiting", ORANGE)}


def rungs_figure(table: pd.DataFrame) -> Figure:
    """Bars of trials that went on, were stopped, or wait, at every rung, each with its number.

    table: as `analysis.rung_table` gives it, at least one row.
    """
    several = len(table["bracket"].unique()) > 1
    shown = [name for name in _OUTCOMES if name != "waiting" or table["waiting"].sum() > 0]
    labels = [
        f"bracket {bracket}, epoch {rung:.4g}" if several else f"epoch {rung:.4g}"
        for bracket, rung in zip(table["bracket"], table["rung"], strict=True)
    ]
    data = [
        {"rung": label, "outcome": _OUTCOMES[name][0], "trials": int(count)}
        for name in shown
        for label, count in zip(labels, table[name], strict=True)
    ]
    names = [_OUTCOMES[name][0] for name in shown]
    colours = [_OUTCOMES[name][1] for name in shown]
    x = {
        "field": "rung",
        "type": "nominal",
        "title": "Rung",
        "sort": labels,
        "axis": {"labelAngle": -30 if several else 0},
    }
    top = max(1.0, 1.15 * max(int(table[name].max()) for name in shown))  # room for the numbers on the bars
    y = {
        "field": "trials", "type": "quantitative", "title": "Trials", "axis": {"tickMinStep": 1, "format": "d"},
        "scale": {"domain": [0, top], "nice": False},
    }  # fmt: skip
    offset = {"field": "outcome", "sort": names}
    color = {"field": "outcome", "type": "nominal", "title": None, "scale": {"domain": names, "range": colours}}
    text = {"type": "text", "baseline": "bottom", "dy": -3, "fontSize": 13, "color": INK}
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "bar"}, "encoding": {"x": x, "y": y, "xOffset": offset, "color": color}},
        {"mark": text, "encoding": {"x": x, "y": y, "xOffset": offset, "text": {"field": "trials", "format": "d"}}},
    ]
    parts = [
        f"{label}, {stopped} of {trials} stopped"
        for label, stopped, trials in zip(labels, table["stopped"], table["trials"], strict=True)
    ]
    return Figure(
        "rungs", "Trials at every rung", f"Bars of trials per rung: {'; '.join(parts)}.", chart(data, layers), table
    )
