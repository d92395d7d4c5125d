"""Tables on stdout: aligned columns for people, JSON for programs."""

from __future__ import annotations

import json
import math
from typing import Any

import click
import pandas as pd


def print_table(frame: pd.DataFrame, digits: int = 5) -> None:
    """Columns side by side, numbers to the right with `digits` significant digits; `-` is a missing number."""
    for line in text_rows(frame, digits):
        click.echo(line)


def text_rows(frame: pd.DataFrame, digits: int = 5) -> list[str]:
    """The lines of `print_table`, the header first."""
    columns = [(str(name), values.tolist()) for name, values in frame.items()]  # two may have one name
    cells = [[name, *(_shown(value, digits) for value in values)] for name, values in columns]
    right = [all(not isinstance(value, str) for value in values) for _, values in columns]
    widths = [max(map(len, column)) for column in cells]
    lines = []
    for row in zip(*cells, strict=True):
        aligned = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        lines.append("  ".join(aligned).rstrip())
    return lines


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON objects: a missing number is null, an unbounded one the text `inf`."""
    return [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _shown(value: Any, digits: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.{digits}g}"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    return value


def print_json(data: Any) -> None:
    """Data for programs, on stdout; what was not measured is null."""
    click.echo(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False, default=str))
