"""The tuning curve, and its continuation by a model, dashed, with the errors of its back-test."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import whole_ticks
from greenexp.figures.style import BLUE, GREY, VERMILLION, chart, quantity

_KINDS = ("from the scores", "by the model")


def extrapolated_figure(table: pd.DataFrame, number: int, metric: SweepMetric) -> Figure:
    """Median best over configurations: solid up to `number`, all there are, and dashed beyond.

    table: configurations, median_best, kind (`from the scores` or `by the model`), back_test_error (NaN where the model
    was not tested by itself), rows of a kind in the order of configurations
    """
    data: list[dict[str, Any]] = []
    for n, value, kind, error in zip(
        table["configurations"], table["median_best"], table["kind"], table["back_test_error"], strict=True
    ):
        row: dict[str, Any] = {"n": int(n), "value": float(value), "kind": str(kind)}
        if not math.isnan(error):
            row |= {"low": float(value - error), "high": float(value + error)}
        data.append(row)
    x = quantity(
        "n",
        "Configurations drawn at random",
        scale={"zero": False, "nice": False},
        axis=whole_ticks(table["configurations"]),
    )
    y = quantity("value", ["Median best", metric.label])
    legend = {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.5}
    looks = {
        channel: {"field": "kind", "type": "nominal", "title": None, "legend": legend,
                  "scale": {"domain": list(_KINDS), "range": values}}
        for channel, values in (("color", [VERMILLION, BLUE]), ("strokeDash", [[1, 0], [6, 4]]))
    }  # fmt: skip
    barred = {"transform": [{"filter": "isValid(datum.low)"}]}
    layers: list[dict[str, Any]] = [
        {"data": {"values": [{"n": number}]}, "mark": {"type": "rule", "color": GREY, "strokeDash": [2, 3]},
         "encoding": {"x": x}},
        {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, **looks}},
        {**barred, "mark": {"type": "rule", "color": BLUE, "strokeWidth": 1.5},
         "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}},
        {**barred,
         "mark": {"type": "point", "shape": "diamond", "filled": True, "color": BLUE, "size": 70, "opacity": 1},
         "encoding": {"x": x, "y": y}},
    ]  # fmt: skip
    return Figure(
        "extrapolated",
        "Median best of more configurations, by a model",
        _alt(table, metric),
        chart(data, layers),
        table,
    )


def _alt(table: pd.DataFrame, metric: SweepMetric) -> str:
    seen = table[table["kind"] == _KINDS[0]].iloc[-1]
    barred = table[table["back_test_error"].notna()]
    parts = [
        f"{value:.4f} for {int(n)} (back-test error {error:.4f})"
        for n, value, error in zip(
            barred["configurations"], barred["median_best"], barred["back_test_error"], strict=True
        )
    ]
    return (
        f"Curve of the median best {metric.label} over configurations, {seen['median_best']:.4f} for all "
        f"{int(seen['configurations'])} of the sweep, and dashed beyond, by a model: {', '.join(parts)}."
    )
