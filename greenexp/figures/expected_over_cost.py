"""Expected best score over cost."""

from __future__ import annotations

from typing import Any

from greenexp.analysis.curves.evp_over_cost import ExpectedOverCost
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit
from greenexp.figures.style import VERMILLION, chart, quantity
from greenexp.records.axes import AXES
from greenexp.units import format_quantity


def expected_over_cost_figure(found: ExpectedOverCost, metric: SweepMetric) -> Figure:
    """The curve up to the sweep's own cost; dotted where some searches have finished nothing yet. At least one row."""
    table = found.curve
    row = AXES[found.axis]
    divisor, unit = axis_unit(row.unit, float(table["cost"].max()))
    certain = table["nothing_finished"] == 0
    data = [
        {"cost": cost / divisor, "value": value, "certain": bool(sure)}
        for cost, value, sure in zip(table["cost"], table["expected_best"], certain, strict=True)
    ]
    x = quantity("cost", f"{row.sum_title}{f' ({unit})' if unit else ''}")
    x["scale"] = {"zero": True, "nice": True}
    encoding = {"x": x, "y": quantity("value", f"Expected best {metric.label}")}
    line = {"type": "line", "color": VERMILLION, "strokeWidth": 2}
    layers: list[dict[str, Any]] = [
        {"mark": {**line, "strokeDash": [2, 4]}, "encoding": encoding},
        {"transform": [{"filter": "datum.certain"}], "mark": line, "encoding": encoding},
        {"transform": [{"filter": "datum.certain"}],
         "mark": {"type": "point", "filled": True, "color": VERMILLION, "size": 20, "opacity": 1},
         "encoding": encoding},
    ]  # fmt: skip
    first, last = table.iloc[0], table.iloc[-1]
    what = f"{row.sum_title[0].lower()}{row.sum_title[1:]}"
    alt = (
        f"Curve of the expected best {metric.label} over {what}: {first['expected_best']:.4f} for "
        f"{format_quantity(float(first['cost']), row.unit)} ({100 * first['nothing_finished']:.0f} % of searches have "
        f"finished nothing by then), {last['expected_best']:.4f} for "
        f"{format_quantity(float(last['cost']), row.unit)}."
    )
    name = f"expected-best-{found.axis.replace('_', '-')}"
    return Figure(name, f"Expected best score over {what}", alt, chart(data, layers), table)
