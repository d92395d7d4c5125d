"""Tables as a reader sees them: which columns, in which unit, how a number is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from greenexp.units import format_quantity

# Not `tables`: there `greenexp export` writes the recorded tables, some of which have the names of tables of a report.
TABLES_FOLDER = "report-tables"

KINDS = ("name", "text", "prose", "score", "count", "number", "factor", "quantity")
NONE = "–"
MOST_ROWS = 20
"""Rows that a notebook shows."""


@dataclass(frozen=True, slots=True)
class Column:
    """One shown column.

    name: in the frame; title: its heading; kind: name (kept on one line), text, prose (sentences, which need room),
    score (4 decimals), count, number (4 digits), factor (`1.50×`) or quantity (in `unit`, as `greenexp.units` writes
    it); missing: what stands where there is no value
    """

    name: str
    title: str
    kind: str = "text"
    unit: str = ""
    missing: str = NONE

    @property
    def numeric(self) -> bool:
        """True if its cells are numbers, to be set flush right."""
        return self.kind not in {"name", "text", "prose"}

    @property
    def layout(self) -> str:
        """How it is laid out: `number`, `name`, `prose` or `text`."""
        return "number" if self.numeric else self.kind

    def cell(self, value: Any) -> str:
        """`value` as a reader sees it."""
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)) or value == "":
            return self.missing
        return _written(value, self.kind, self.unit)


@dataclass(frozen=True)
class Table:
    """A table of a report: `frame` in base units goes whole into the CSV, `columns` of it are shown.

    name: lower case with dashes, unique in a report (the CSV file is called so); note: one sentence on how to read it
    reading: the rows of `frame` to be shown where not the first ones are; `note` must then say which
    listed: rows are texts too long for the columns of a printed page, where they are set as a list
    """

    name: str
    title: str
    frame: pd.DataFrame
    columns: Sequence[Column] = field(default=())
    note: str = ""
    reading: pd.DataFrame | None = None
    listed: bool = False

    @property
    def rows(self) -> pd.DataFrame:
        """The rows to be shown, if there is room for all of them."""
        return self.frame if self.reading is None else self.reading

    def cells(self, most: int | None = None) -> list[list[str]]:
        """The shown cells, row by row, of the first `most` rows."""
        shown = self.rows.head(len(self.rows) if most is None else most)
        written = [[column.cell(value) for value in shown[column.name]] for column in self.columns]
        return [list(row) for row in zip(*written, strict=True)]

    @property
    def file_name(self) -> str:
        """Of its CSV file; words are joined as in the names that `greenexp export` gives."""
        return f"{self.name.replace('-', '_')}.csv"

    @property
    def path(self) -> str:
        """Where its CSV file stands, seen from the folder of the report."""
        return f"{TABLES_FOLDER}/{self.file_name}"

    def _repr_html_(self) -> str:
        """The first rows as a notebook shows them, written as in the report."""
        shown = pd.DataFrame(self.cells(MOST_ROWS), columns=[column.title for column in self.columns])
        rest = len(self.rows) - len(shown)
        more = f"<p>{rest} more rows.</p>" if rest else ""
        note = f"<p>{escape(self.note)}</p>" if self.note and len(shown) else ""
        return f"<h4>{escape(self.title)}</h4>\n{shown.to_html(index=False, border=0)}{more}{note}"

    def csv(self) -> str:
        """All rows and columns, base units, full precision, empty where there is no value."""
        return self.frame.to_csv(index=False, lineterminator="\n")


def cost_column(name: str, title: str, unit: str) -> Column:
    """A column of measured costs."""
    return Column(name, title, "quantity", unit, "not measured")


def plain_value(value: Any) -> str:
    """A setting as a person would write it: `0.001`, `true`, `none`."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "none"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _written(value: Any, kind: str, unit: str) -> str:
    if kind == "score":
        return f"{value:.4f}"
    if kind == "count":
        return format_quantity(float(value), "")  # epochs may be counted in parts
    if kind == "number":
        return plain_value(value)
    if kind == "factor":
        return f"{value:.2f}×"
    if kind == "quantity":
        return format_quantity(float(value), unit)
    return plain_value(value)
