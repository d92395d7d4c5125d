"""What happened to trials at every rung."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.scale import whole_ticks
from greenexp.figures.style import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, chart
from greenexp.records.axes import EPOCHS, rung_name

_OUTCOMES = {
    "went_on": ("went on", BLUE), "stopped": ("stopped", VERMILLION), "waiting": ("waiting", ORANGE),
    "joined": ("later seeds that joined", GREEN), "given_up": ("later seeds given up", GREY),
}  # fmt: skip
_ALWAYS = ("went_on", "stopped")


def rungs_figure(table: pd.DataFrame, resource: str = EPOCHS) -> Figure:
    """Bars of trials that went on, were stopped, wait, joined or were given up, at every rung, each with its number.

    table: as `analysis.rung_table` gives it, at least one row; resource: the budget axis that the rungs lie on
    """
    several = len(table["bracket"].unique()) > 1
    shown = [name for name in _OUTCOMES if name in _ALWAYS or table[name].sum() > 0]
    held = table[["joined", "given_up"]].to_numpy().any()
    labels = [
        (f"bracket {bracket}, " if several else "") + rung_name(resource, rung) + (f", {_seeds(seeds)}" if held else "")
        for bracket, rung, seeds in zip(table["bracket"], table["rung"], table["seeds"], strict=True)
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
        "field": "trials", "type": "quantitative", "title": "Trials", "axis": whole_ticks([0, top]),
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
        f"{label}, {stopped} of {trials} stopped" + (f", {given_up} later seeds given up" if given_up else "")
        for label, stopped, trials, given_up in zip(
            labels, table["stopped"], table["trials"], table["given_up"], strict=True
        )
    ]
    return Figure(
        "rungs", "Trials at every rung", f"Bars of trials per rung: {'; '.join(parts)}.", chart(data, layers), table
    )


def _seeds(number: Any) -> str:
    return "seeds not recorded" if pd.isna(number) else f"{number} seed" + ("" if number == 1 else "s")
