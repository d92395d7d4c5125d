"""Expected best score over the number of configurations drawn."""

from __future__ import annotations

from typing import Any

from greenexp.analysis.curves.evp import ExpectedBest
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import room_for_one, whole_ticks
from greenexp.figures.style import VERMILLION, chart, quantity, title_lines


def expected_best_figure(curve: ExpectedBest, metric: SweepMetric) -> Figure:
    """The curve with a diamond at every n; it ends at the number of configurations seen. At least one row."""
    table = curve.curve
    data = [
        {"n": int(n), "value": float(value)}
        for n, value in zip(table["configurations"], table["expected_best"], strict=True)
    ]
    label = f"Expected best {metric.label}"
    x = quantity("n", "Configurations drawn at random")
    x["axis"] = whole_ticks(table["configurations"])
    x["scale"] = {"zero": False, "nice": False}
    named = title_lines(f"{label}, {curve.bound}" if curve.bound else label)
    y = quantity("value", named, scale={"zero": False, "nice": True, **room_for_one(table["expected_best"])})
    encoding = {"x": x, "y": y}
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "color": VERMILLION, "strokeWidth": 2}, "encoding": encoding},
        {"mark": {"type": "point", "shape": "diamond", "filled": True, "color": VERMILLION, "size": 60, "opacity": 1},
         "encoding": encoding},
    ]  # fmt: skip
    first, last = table.iloc[0], table.iloc[-1]
    kind = f", a {curve.bound}," if curve.bound else ""
    end = f", {last['expected_best']:.4f} for {int(last['configurations'])}" if len(table) > 1 else ""
    alt = (
        f"Curve of the expected best {metric.label}{kind} over the number of configurations drawn: "
        f"{first['expected_best']:.4f} for 1{end}."
    )
    title = f"Expected best score over configurations{f' ({curve.bound})' if curve.bound else ''}"
    return Figure("expected-best", title, alt, chart(data, layers), table)
