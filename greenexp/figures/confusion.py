"""How often the last exit is wrong, by how far the exits below are from it."""

from __future__ import annotations

from greenexp.analysis.exits.confusion import Confusion
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, chart


def confusion_figure(found: Confusion) -> Figure:
    """Points over the tenths of the examples by rising confusion: the share that the last exit gets wrong."""
    table = found.parts
    data = [
        {"part": int(part), "wrong": float(wrong)} for part, wrong in zip(table["part"], table["wrong"], strict=True)
    ]
    x = {"field": "part", "type": "ordinal", "title": "Tenth of the dev examples, by rising confusion",
         "axis": {"labelAngle": 0}}  # fmt: skip
    y = {"field": "wrong", "type": "quantitative", "title": "Wrong at the last exit, mean over seeds",
         "scale": {"domain": [0, 1]}, "axis": {"format": ".0%", "tickCount": 6}}  # fmt: skip
    layers = [
        {"mark": {"type": "line", "strokeWidth": 2, "color": BLUE}, "encoding": {"x": x, "y": y}},
        {"mark": {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": BLUE},
         "encoding": {"x": x, "y": y}},
    ]  # fmt: skip
    first, last = table.iloc[0], table.iloc[-1]
    alt = (
        f"A line over parts of the dev examples by rising confusion: the last exit is wrong on "
        f"{100 * first['wrong']:.1f} % of the least confused part and on {100 * last['wrong']:.1f} % of the most "
        "confused one."
    )
    return Figure("confusion", "Errors of the last exit by the confusion of the exits", alt, chart(data, layers), table)
