"""How much of each limited budget axis is used, with the price that was worked out before."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, FRAME, INK, VERMILLION, chart
from greenexp.units import format_quantity

_ROW = 36


def budget_figure(budget: pd.DataFrame) -> Figure | None:
    """A bar per axis that has a limit or a price, in parts of the limit, or of the upper end of the price without one.

    budget: as `analysis.sweeps.overview.budget_table` gives it. None if no axis has either.
    """
    rows = [row for row in map(_row, budget.to_dict("records")) if row is not None]
    if not rows:
        return None
    axis = {"field": "title", "type": "nominal", "title": None, "sort": None, "axis": {"labelLimit": 160}}
    part = {"type": "quantitative", "axis": {"format": "%"}, "title": "Part of the limit (of the price, without one)"}
    largest = max([1.0, *(row[name] for row in rows for name in ("used_part", "high_part") if row[name] is not None)])
    x = {**part, "field": "used_part", "scale": {"domain": [0, largest * 1.02], "nice": False}}
    hover = [{"field": name, "type": "nominal"} for name in ("title", "used", "limit", "price")]
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "bar", "color": BLUE, "height": 14}, "encoding": {"y": axis, "x": x, "tooltip": hover}},
        {"mark": {"type": "rule", "color": INK, "strokeWidth": 2, "strokeDash": [4, 2]},
         "transform": [{"filter": "isValid(datum.low_part)"}],
         "encoding": {"y": axis, "x": {**x, "field": "low_part"}, "x2": {"field": "high_part"}}},
        {"mark": {"type": "point", "shape": "diamond", "filled": True, "color": INK, "size": 70},
         "transform": [{"filter": "isValid(datum.expected_part)"}],
         "encoding": {"y": axis, "x": {**x, "field": "expected_part"}, "tooltip": hover}},
        {"mark": {"type": "rule", "color": VERMILLION, "strokeWidth": 2}, "data": {"values": [{"limit": 1.0}]},
         "encoding": {"x": {"field": "limit", "type": "quantitative"}}},
        {"mark": {"type": "text", "align": "left", "dx": 4, "color": INK, "fontSize": 12, "baseline": "bottom",
                  "dy": -8},
         "encoding": {"y": axis, "x": {"value": 0}, "text": {"field": "used"}}},
    ]  # fmt: skip
    told = "; ".join(f"{row['title']} {row['used']} (limit {row['limit']}, price {row['price']})" for row in rows)
    alt = f"Use of the budget: {told}. Bars: used; dashed line and diamond: price before; line at 100 %: the limit."
    spec = chart(rows, layers, height=_ROW * len(rows))
    spec["config"]["axis"] = {**spec["config"]["axis"], "domainColor": FRAME}
    return Figure("budget", "Budget used, its limits and the price before", alt, spec, budget)


def _row(row: dict[Any, Any]) -> dict[str, Any] | None:
    unit = str(row["unit"])
    whole = row["limit"] if pd.notna(row["limit"]) and row["limit"] else row["price_high"]
    if pd.isna(whole) or not whole or pd.isna(row["used"]):
        return None
    ends = {end: row[f"price_{end}"] for end in ("low", "expected", "high")}
    parts = {f"{end}_part": None if pd.isna(value) else float(value / whole) for end, value in ends.items()}
    price = "not known"
    if pd.notna(ends["expected"]):
        low, high = format_quantity(ends["low"], unit), format_quantity(ends["high"], unit)
        price = low if low == high else f"{low} to {high}"
    limit = "none" if pd.isna(row["limit"]) else format_quantity(row["limit"], unit)
    used = format_quantity(float(row["used"]), unit)
    return {"title": row["title"], "used": used, "limit": limit, "price": price,
            "used_part": float(row["used"] / whole), **parts}  # fmt: skip
