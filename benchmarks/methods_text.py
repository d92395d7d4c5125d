"""Numbers and tables as `methods.py` prints them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

NONE = "-"
Row = dict[str, Any]
Show = Callable[[str, list[Row]], None]


def points(scores: pd.Series) -> str:
    """`78.31 ± 0.40` in points; one score has no spread."""
    known = scores.dropna()
    return spread(known.mean(), known.std(ddof=1)) if len(known) else NONE


def spread(mean: float, std: float) -> str:
    return f"{100 * mean:.2f}" + ("" if math.isnan(std) else f" ± {100 * std:.2f}")


def number(score: float, missing: str = NONE) -> str:
    return missing if math.isnan(score) else f"{100 * score:.2f}"


def plain(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:.2f}"


def signed(value: float) -> str:
    return NONE if math.isnan(value) else f"{value:+.2f}"


def interval(low: float, high: float) -> str:
    return NONE if math.isnan(low) else f"{low:+.2f} to {high:+.2f}"


def probability(p: float) -> str:
    return NONE if math.isnan(p) else f"{p:.4f}" if p >= 1e-4 else f"{p:.0e}"


def as_text(title: str, rows: list[Row]) -> None:
    print(f"\n{title}\n{pd.DataFrame(rows).fillna(NONE).to_string(index=False)}")


def as_markdown(title: str, rows: list[Row]) -> None:
    head = list(dict.fromkeys(name for row in rows for name in row))
    lines = [head, ["---"] * len(head), *([str(row.get(name, NONE)) for name in head] for row in rows)]
    print(f"\n**{title}**\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines))
