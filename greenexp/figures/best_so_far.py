"""The best score so far over cumulative cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit, room_for_one
from greenexp.figures.style import BLUE, chart, quantity
from greenexp.records.axes import AXES
from greenexp.units import format_quantity


def best_so_far_figure(table: pd.DataFrame, axis: str, metric: SweepMetric) -> Figure:
    """Best score so far as a step line over the cumulative cost on `axis`; a dot for every improvement.

    table: as `analysis.curves.best_so_far.best_so_far_over` gives it for that axis, at least one row.
    """
    row = AXES[axis]
    divisor, unit = axis_unit(row.unit, float(table["cost"].max()))
    data = [
        {"cost": cost / divisor, "score": score, "improved": bool(improved)}
        for cost, score, improved in zip(table["cost"], table["score"], table["improved"], strict=True)
    ]
    x = quantity("cost", f"{row.sum_title}, cumulative{f' ({unit})' if unit else ''}")
    x["scale"] = {"zero": True, "nice": True}
    y = quantity("score", f"Best {metric.label}", scale={"zero": False, "nice": True, **room_for_one(table["score"])})
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "line", "interpolate": "step-after", "color": BLUE, "strokeWidth": 2},
         "encoding": {"x": x, "y": y}},
        {"transform": [{"filter": "datum.improved"}],
         "mark": {"type": "point", "filled": True, "color": BLUE, "size": 55, "opacity": 1},
         "encoding": {"x": x, "y": y}},
    ]  # fmt: skip
    first, last = table.iloc[0], table.iloc[-1]
    alt = (
        f"Step line of the best {metric.label} so far over cumulative {row.sum_title[0].lower()}{row.sum_title[1:]}: "
        f"{first['score']:.4f} after {format_quantity(float(first['cost']), row.unit)}, {last['score']:.4f} at the "
        f"end ({format_quantity(float(last['cost']), row.unit)})."
    )
    title = f"Best score so far over {row.sum_title[0].lower()}{row.sum_title[1:]}"
    return Figure(f"best-so-far-{axis.replace('_', '-')}", title, alt, chart(data, layers), table)
