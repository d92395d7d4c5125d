"""How important each searched hyperparameter was."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, INK, chart, quantity

MOST_PARAMETERS = 15
_ROW = 30


def importance_figure(table: pd.DataFrame) -> Figure:
    """A bar per hyperparameter, most important first, and at its end how often chance makes one as long.

    table: as `analysis.search.importance` gives it, at least one row.
    """
    drawn = table.head(MOST_PARAMETERS)
    data = [
        {"parameter": parameter, "importance": float(share), "label": f"{share:.2f} (by chance {chance:.2f})"}
        for parameter, share, chance in zip(drawn["parameter"], drawn["importance"], drawn["by_chance"], strict=True)
    ]
    y: dict[str, Any] = {
        "field": "parameter", "type": "nominal", "title": None, "sort": [row["parameter"] for row in data],
        "axis": {"labelLimit": 170, "ticks": False},
    }  # fmt: skip
    top = 1.6 * max(row["importance"] for row in data) or 1.0  # room for the numbers
    x = quantity(
        "importance",
        "Share of the importance",
        scale={"domain": [0, top], "nice": False},
        axis={"values": [0, 0.25, 0.5, 0.75, 1]},
    )
    text = {"type": "text", "align": "left", "dx": 5, "fontSize": 12, "color": INK}
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "bar", "color": BLUE}, "encoding": {"x": x, "y": y}},
        {"mark": text, "encoding": {"x": x, "y": y, "text": {"field": "label"}}},
    ]
    parts = [f"{row['parameter']} {row['label']}" for row in data]
    alt = f"Bars of the share of importance per hyperparameter: {'; '.join(parts)}."
    size = {"height": max(2, len(data)) * _ROW, "width": 380}
    return Figure("importance", "Importance of the hyperparameters", alt, chart(data, layers, **size), drawn)
