"""The tables of a Markdown page, as data: a figure of a page shows the numbers that the page prints."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

DOCS = Path(__file__).resolve().parents[1]
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?")


def page_table(page: str, *after: str, first: str) -> pd.DataFrame:
    """The first table below some lines of a page whose first column is called `first`, as text.

    page: relative to docs; after: lines, or beginnings of lines where no line is the same, each looked for below the
    one before. An empty cell of the first column repeats the one above it; emphasis and code marks are gone.
    """
    lines = (DOCS / page).read_text(encoding="utf-8").splitlines()
    place = 0
    for mark in after:
        beginning = [number for number in range(place, len(lines)) if lines[number].startswith(mark)]
        if not beginning:
            raise LookupError(f"{page} has no line that begins with {mark!r}")
        place = next((number for number in beginning if lines[number] == mark), beginning[0])
    for number in range(place, len(lines)):
        if lines[number].startswith("|") and _cells(lines[number])[0] == first:
            return _frame(lines[number:])
    raise LookupError(f"{page}: no table with the first column {first!r} after {after!r}")


def numbers(text: str) -> list[float]:
    """The numbers in a cell, in order: `95.1 % [94.4, 95.7]` gives three; a comma between digits groups thousands."""
    return [float(match.replace(",", "")) for match in _NUMBER.findall(text)]


def number(text: str) -> float:
    """The first number in a cell, NaN if there is none."""
    found = numbers(text)
    return found[0] if found else float("nan")


def _frame(lines: list[str]) -> pd.DataFrame:
    header = _cells(lines[0])
    rows: list[list[str]] = []
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        cells = _cells(line)
        rows.append([cells[0] or rows[-1][0], *cells[1:]])
    return pd.DataFrame(rows, columns=header)


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("**", "").replace("`", "") for cell in line.strip().strip("|").split("|")]
