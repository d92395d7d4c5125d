"""What a view answers, as JSON for a page: sentences, figures with their tables, tables.

A cell is sent as a reader sees it and, where it is a number, as that number too, so that a page can sort by it. NaN is
null: not measured, or not applicable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.columns import COLUMNS
from greenexp.api.views import Answer
from greenexp.figures import Figure
from greenexp.report.section import Section
from greenexp.report.table import Column, Table

MOST_ROWS = 500
"""Rows of a table that a page is sent; its CSV has all."""


def payload_of(answer: Answer, rows: int = MOST_ROWS) -> dict[str, Any]:
    """The JSON object of what a view answered: `verdict notes warnings refusal assumptions figures tables`.

    rows: of a table that are sent
    """
    if isinstance(answer, Section):
        return {
            "verdict": list(answer.headline),
            "notes": list(answer.paragraphs),
            "warnings": [],
            "refusal": "",
            "assumptions": list(answer.assumptions),
            "listing": answer.listing,
            "better": {},
            "figures": [_figure(plate.figure) for plate in answer.plates],
            "tables": [table_payload(table, rows) for table in answer.all_tables],
        }
    return {
        "verdict": list(answer.verdict),
        "notes": list(answer.notes),
        "warnings": list(answer.warnings),
        "refusal": answer.refusal,
        "assumptions": [],
        "listing": "",
        "better": {} if COLUMNS not in answer.tables else _better(answer[COLUMNS]),
        "figures": [_figure(figure) for figure in answer.figures],
        "tables": [table_payload(table, rows) for table in tables_of(answer)],
    }


def tables_of(answer: Answer) -> list[Table]:
    """All tables of an answer: those of its figures first, but for figures that draw columns of another table."""
    if isinstance(answer, Section):
        return list(answer.all_tables)
    described = _described(answer)
    own = [
        Table(name, answer.titles.get(name, name), frame, _columns(frame, described))
        for name, frame in answer.tables.items()
        if name != COLUMNS
    ]
    names, titles = set(answer.tables), {table.title for table in own}
    drawn = [
        Table(
            f"{figure.name}-drawn" if figure.name in names else figure.name,
            f"{figure.title}, as drawn" if figure.title in titles else figure.title,
            figure.table,
        )
        for figure in answer.figures
        if not any(set(figure.table) <= set(table.frame) for table in own)
    ]
    return [*drawn, *own]


def figures_of(answer: Answer) -> list[Figure]:
    """All figures of an answer."""
    return [plate.figure for plate in answer.plates] if isinstance(answer, Section) else list(answer.figures)


def table_payload(table: Table, most: int = MOST_ROWS) -> dict[str, Any]:
    """A table as columns and rows; a row is a list of `[text, number or null]`."""
    columns = list(table.columns) or _columns(table.frame, {})
    shown = table.rows.head(most)
    texts = [[column.cell(_plain(value)) for value in shown[column.name]] for column in columns]
    numbers = [[_number(value) if column.numeric else None for value in shown[column.name]] for column in columns]
    cells = [[list(pair) for pair in zip(*both, strict=True)] for both in zip(texts, numbers, strict=True)]
    return {
        "name": table.name,
        "title": table.title,
        "note": table.note,
        "columns": [{"name": c.name, "title": c.title, "layout": c.layout} for c in columns],
        "rows": [list(row) for row in zip(*cells, strict=True)] if cells else [],
        "total": len(table.frame),
    }


def as_json(value: Any) -> bytes:
    """UTF-8 JSON without NaN: a page reads it with the browser's own parser."""
    return json.dumps(_plain(value), allow_nan=False, ensure_ascii=False, default=str).encode("utf-8", "replace")


def _figure(figure: Figure) -> dict[str, Any]:
    return {"name": figure.name, "title": figure.title, "alt": figure.alt, "spec": dict(figure.spec)}


def _better(columns: pd.DataFrame) -> dict[str, str]:
    """Column -> `more` or `less`, whichever is better, of those where one is."""
    return {row["column"]: row["better"] for row in columns.to_dict("records") if row["better"]}


def _described(findings: Findings) -> dict[str, tuple[str, str]]:
    """Column -> its title and unit, of findings that say so themselves."""
    if COLUMNS not in findings.tables:
        return {}
    rows = findings[COLUMNS].to_dict("records")
    return {str(row["column"]): (str(row["title"]), str(row["unit"])) for row in rows if row["title"]}


def _columns(frame: pd.DataFrame, described: Mapping[str, tuple[str, str]]) -> list[Column]:
    """The columns with a value; sentences follow the names, before the numbers that would push them out of sight."""
    there = [str(name) for name in frame if frame.empty or not frame[name].isin(["", None]).all()]
    there = [name for name in there if frame.empty or frame[name].notna().any()]
    columns = [_column(frame, name, *described.get(name, ())) for name in there]
    names = max((place for place, column in enumerate(columns) if column.kind == "name"), default=-1) + 1
    told = [column for column in columns[names:] if column.kind == "prose"]
    return [*columns[:names], *told, *(column for column in columns[names:] if column.kind != "prose")]


def _column(frame: pd.DataFrame, name: str, title: str = "", unit: str = "") -> Column:
    """How a column without a layout is shown: by its type, and by the unit that its name carries."""
    if name in _NAMES:
        return Column(name, _heading(name), "name")
    title, kind = title or _heading(name), frame[name].dtype
    if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        longest = frame[name].astype(str).str.len().max() if len(frame) else 0
        return Column(name, title, "prose" if longest > _PROSE else "text")
    unit = unit or next((own for ending, own in _UNITS.items() if name.endswith(ending)), "")
    if unit:
        return Column(name, title, "quantity", unit)
    if name in _SCORES:
        return Column(name, title, "score")
    return Column(name, title, "count" if pd.api.types.is_integer_dtype(kind) else "number")


_NAMES = frozenset({"trial", "configuration", "sweep", "policy"})
_SCORES = frozenset({"score", "best", "mean", "estimate", "low", "high", "score_mean", "value", "cutoff"})
_UNITS = {"_s": "s", "_j": "J", "_flops": "FLOP", "memory_b": "B", "carbon_g": "g"}
_PROSE = 40


def _heading(name: str) -> str:
    """`train_flops` -> `train FLOPs`."""
    if "." in name:  # a field of the sweep file
        return name.removeprefix("params.")
    words = name.replace("_", " ")
    return words.replace("flops", "FLOPs")


def _number(value: Any) -> float | None:
    plain = _plain(value)
    return float(plain) if isinstance(plain, int | float) and not isinstance(plain, bool) else None


def _plain(value: Any) -> Any:
    """`value` of JSON's types: numbers of numpy as Python's, what is missing as None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | list | tuple) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value
