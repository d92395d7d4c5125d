"""What the figures of views share: titled channels, units of axes, tooltips, looks told apart by more than colour."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.columns import COLUMNS
from greenexp.figures.scale import axis_unit, whole_ticks
from greenexp.figures.style import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, quantity

FRONT_COLOURS = (BLUE, VERMILLION, GREEN, INK, ORANGE, GREY)
DASHES = ([1, 0], [7, 4], [2, 3], [10, 3, 2, 3], [4, 2], [12, 4])
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "triangle-down")
_LEGEND = 5
MOST_GROUPS = len(FRONT_COLOURS)


@dataclass(frozen=True, slots=True)
class Titled:
    """A column of a view; fields as of `analysis.views.columns.ViewColumn`."""

    column: str
    title: str
    unit: str = ""
    better: str = ""
    scale: str = ""

    def scaled(self, values: Sequence[float]) -> tuple[float, str]:
        """(divisor, title with its unit) so that the labels of an axis up to the largest value are short."""
        known = [abs(value) for value in values if not math.isnan(value)]
        divisor, unit = axis_unit(self.unit, max(known, default=0.0))
        return divisor, f"{self.title} ({unit})" if unit else self.title


def titled(findings: Findings, column: str) -> Titled:
    """What the findings of a view say of a column; its own name where they say nothing."""
    table = findings[COLUMNS]
    rows = table[table["column"] == column]
    return Titled(*(str(cell) for cell in rows.iloc[0])) if len(rows) else Titled(column, column)


def records(table: pd.DataFrame, **more: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows for a specification: numbers of JSON, None for what is missing; `more`: further columns."""
    plain = table.assign(**{name: list(values) for name, values in more.items()}).astype(object)
    return [{str(key): _plain(value) for key, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool | list):
        return value
    if pd.isna(value):
        return None
    number = value.item() if hasattr(value, "item") else value
    return number if not isinstance(number, float) or math.isfinite(number) else None


def hover(*columns: tuple[str, str], formats: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """A tooltip: (column, title) in order; formats: column -> d3 format of a number."""
    given = formats or {}
    return [
        {"field": column, "title": title, **({"type": "quantitative", "format": given[column]} if column in given
                                             else {"type": "nominal"})}
        for column, title in columns
    ]  # fmt: skip


def look(field: str, values: Sequence[str], range_: Sequence[Any], title: str | None = None) -> dict[str, Any]:
    """A nominal channel with its own value for each name."""
    return {
        "field": field, "type": "nominal", "title": title,
        "scale": {"domain": list(values), "range": list(range_)[: len(values)]},
    }  # fmt: skip


def of_scores(field: str, title: str, values: Sequence[float]) -> dict[str, Any]:
    """A quantitative channel of scores; where all are one number there is room around it, and its tick says which."""
    channel = quantity(field, title)
    known = [float(value) for value in values if math.isfinite(value)]
    if known and min(known) == max(known):
        room = max(abs(known[0]) / 100, 0.001)
        channel["scale"] = {"domain": [known[0] - room, known[0] + room], "nice": False, "zero": False}
        channel["axis"] = {"values": [known[0]], "format": ".4~g"}
    return channel


def across(field: str, title: str, values: Sequence[float], *, zero: bool = False) -> dict[str, Any]:
    """A quantitative channel for values that may all be equal; whole numbers get whole ticks."""
    channel = quantity(field, title)
    channel["scale"] = {"zero": zero, "nice": True}
    if values and all(float(value).is_integer() for value in values):
        channel["axis"] = whole_ticks([*values, *([0] if zero else [])])
    return channel


def spread(values: Sequence[float], *, log: bool) -> list[float]:
    """Five values from the smallest to the largest, evenly on the scale, for the legend of a colour."""
    low, high = min(values), max(values)
    steps = [k / (_LEGEND - 1) for k in range(_LEGEND)]
    found = [low * (high / low) ** step if log else low + step * (high - low) for step in steps]
    return list(dict.fromkeys(min(max(value, low), high) for value in found))


def number(value: float) -> str:
    """A score as alternatives write it."""
    return f"{value:.4g}"


def lowered(title: str) -> str:
    """A title within a sentence."""
    return f"{title[0].lower()}{title[1:]}" if title[1:2].islower() else title
