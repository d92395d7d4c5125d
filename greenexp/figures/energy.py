"""What the energy meters counted, and whose it was."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREY, INK, ORANGE, chart, quantity
from greenexp.units import JOULES, format_quantity

PARTS = {"trials_j": ("trials", BLUE), "overhead_j": ("overhead of the sweep", ORANGE),
         "unattributed_j": ("unattributed", GREY)}  # fmt: skip
"""Column -> name and colour of a part."""
_ROW = 34


def energy_figure(devices: pd.DataFrame) -> Figure:
    """A stacked bar per device, its parts with their shares of the meter.

    devices: as `analysis.sweeps.energy.energy_of_sweep` gives them, at least one row
    """
    rows = devices.to_dict("records")
    unit, name = _unit(max(row["meter_j"] for row in rows))
    data: list[dict[str, Any]] = []
    for row in rows:
        begin = 0.0
        for place, (column, (part, _)) in enumerate(PARTS.items()):
            share = row[column] / row["meter_j"] if row["meter_j"] else 0.0
            data.append({
                "device": row["device"], "part": part, "from": begin / unit, "to": (begin + row[column]) / unit,
                "place": place, "label": f"{100 * share:.0f} %" if share >= 0.08 else "",
                "ink": INK if column == "overhead_j" else "#ffffff",
                "middle": (begin + row[column] / 2) / unit,
            })  # fmt: skip
            begin += row[column]
    names = [part for part, _ in PARTS.values()]
    y = {"field": "device", "type": "nominal", "title": None, "axis": {"labelLimit": 200, "ticks": False}}
    x = quantity("from", f"Energy ({name})", scale={"zero": True, "nice": True})
    color = {
        "field": "part", "type": "nominal", "title": None, "sort": names,
        "scale": {"domain": names, "range": [colour for _, colour in PARTS.values()]},
    }  # fmt: skip
    text = {"type": "text", "fontSize": 12, "fontWeight": "bold"}
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "bar", "stroke": "white"},
            "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "color": color},
        },
        {
            "mark": text,
            "encoding": {
                "x": {**x, "field": "middle"},
                "y": y,
                "text": {"field": "label"},
                "color": {"field": "ink", "type": "nominal", "scale": None},
            },
        },
    ]
    alt = "Bars of the energy that each meter counted: " + "; ".join(_words(row) for row in rows) + "."
    size = {"height": max(2, len(rows)) * _ROW, "width": 440}
    return Figure("energy", "What the energy meters counted", alt, chart(data, layers, **size), devices)


def _words(row: dict[Any, Any]) -> str:
    parts = ", ".join(f"{format_quantity(row[column], 'J')} {part}" for column, (part, _) in PARTS.items())
    return f"{row['device']} {format_quantity(row['meter_j'], 'J')}, of it {parts}"


def _unit(joules: float) -> tuple[float, str]:
    """The unit that a number of joules is drawn in."""
    for name, symbol in (("kwh", "kWh"), ("wh", "Wh")):
        if joules >= JOULES[name]:
            return float(JOULES[name]), symbol
    return 1.0, "J"
