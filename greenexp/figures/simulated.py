"""What simulated schedulers find for what they spend, beside training everything to its end."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, GREY, INK, VERMILLION, chart, quantity

_LOOKS = ((BLUE, "circle"), (VERMILLION, "square"), (GREEN, "triangle-up"), (INK, "diamond"))


def simulated_figure(table: pd.DataFrame, trials: int, metric: SweepMetric) -> Figure:
    """A line, of full training, and a mark per scheduler; a dotted rule from it to the line is what it saves.

    table: way (`full training` or a scheduler), cost (epochs), expected_best, equal_cost (NaN: no such cost); rows of
    full training in the order of cost; trials: configurations that each search begins
    """
    full = table[table["way"] == "full training"]
    marks = table[table["way"] != "full training"]
    ways = [str(way) for way in marks["way"]]
    line = [{"cost": float(c), "value": float(v)} for c, v in zip(full["cost"], full["expected_best"], strict=True)]
    points: list[dict[str, Any]] = []
    for way, cost, value, equal in zip(
        marks["way"], marks["cost"], marks["expected_best"], marks["equal_cost"], strict=True
    ):
        row: dict[str, Any] = {"way": str(way), "cost": float(cost), "value": float(value)}
        points.append(row | ({} if math.isnan(equal) else {"equal": float(equal)}))
    x, y = quantity("cost", "Epochs trained"), quantity("value", ["Expected best", metric.label])
    x["scale"] = {"zero": True, "nice": True}
    drawn = {"data": {"values": points}}
    look = {
        channel: {"field": "way", "type": "nominal", "title": None, "scale": {"domain": ways, "range": values}}
        for channel, values in (
            ("color", [colour for colour, _ in _LOOKS[: len(ways)]]),
            ("shape", [shape for _, shape in _LOOKS[: len(ways)]]),
        )
    }
    name = {"type": "text", "text": "full training", "align": "right", "fontSize": 13, "color": INK,
            "dy": -12 if metric.minimize else 16}  # fmt: skip
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "color": GREY, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
        {"data": {"values": line[-1:]}, "mark": name, "encoding": {"x": x, "y": y}},
        {**drawn, "transform": [{"filter": "isValid(datum.equal)"}],
         "mark": {"type": "rule", "color": GREY, "strokeDash": [2, 3]},
         "encoding": {"x": x, "x2": {"field": "equal"}, "y": y}},
        {**drawn, "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
         "encoding": {"x": x, "y": y, **look}},
    ]  # fmt: skip
    return Figure("simulated", "What stopping early would have given", _alt(full, marks, trials, metric),
                  chart(line, layers), table)  # fmt: skip


def _alt(full: pd.DataFrame, marks: pd.DataFrame, trials: int, metric: SweepMetric) -> str:
    parts = [
        f"{way} {value:.4f} for {cost:.4g} epochs"
        for way, value, cost in zip(marks["way"], marks["expected_best"], marks["cost"], strict=True)
    ]
    last = full.iloc[-1]
    return (
        f"Expected best {metric.label} over epochs trained, a line for full training up to {last['expected_best']:.4f} "
        f"for {last['cost']:.4g}, and a mark per scheduler over {trials} configurations: {', '.join(parts)}."
    )
