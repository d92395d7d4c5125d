"""Columns of a table in a file, with the line of every row, so that what is wrong can be pointed at.

CSV with commas, semicolons or tabs, whichever stands in the header most often; UTF-8, with or without a byte order
mark; Parquet. Empty cells and `nan`, `na`, `null`, `none` in any case are missing numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greenexp.errors import InputError, did_you_mean

Floats = NDArray[np.float64]
SEPARATORS = (",", ";", "\t")
MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
NOT_SET = "not set"


@dataclass(frozen=True)
class Columns:
    """numbers, words: by column, one value per row (a missing number is NaN, a missing word `not set`); lines: [rows].

    A row's line is where it ends in a text file, and its number, from 1, in a Parquet file.
    """

    numbers: Mapping[str, Floats]
    words: Mapping[str, list[str]]
    lines: Sequence[int]


def read_columns(path: Path, numbers: Sequence[str], words: Sequence[str]) -> Columns:
    """The columns asked for; InputError for a file that cannot be read so, with the line of what is wrong."""
    header, rows, lines = _parquet(path) if path.suffix.lower() == ".parquet" else _text(path)
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        raise InputError(f"{path}: the header names {', '.join(map(repr, twice))} more than once")
    for name in (*numbers, *words):
        if name not in header:
            raise InputError(
                f"{path}: there is no column '{name}'{did_you_mean(name, header)} (there are: {', '.join(header)})"
            )
    if not rows:
        raise InputError(f"{path}: there is a header and no row below it")
    columns = {name: [row[header.index(name)] for row in rows] for name in (*numbers, *words)}
    return Columns(
        numbers={name: _numbers(path, name, columns[name], lines) for name in numbers},
        words={name: [_word(value) for value in columns[name]] for name in words},
        lines=lines,
    )


def _text(path: Path) -> tuple[list[str], list[list[Any]], list[int]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text in UTF-8 (byte {error.start})") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    first = text.lstrip().partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    header: list[str] = []
    rows, lines = [], []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = [cell.strip() for cell in row]
                continue
            if len(row) != len(header):
                raise InputError(f"{path}:{reader.line_num}: {len(row)} cells, and the header has {len(header)}")
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from None
    return header, rows, lines


def _parquet(path: Path) -> tuple[list[str], list[list[Any]], list[int]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{path}: not a Parquet file: {error}") from None
    columns = [column.to_pylist() for column in table.columns]
    return list(table.column_names), [list(row) for row in zip(*columns, strict=True)], list(range(1, len(table) + 1))


def _numbers(path: Path, name: str, cells: Sequence[Any], lines: Sequence[int]) -> Floats:
    """The cells as numbers; InputError lists the first that are none."""
    found = np.full(len(cells), np.nan)
    wrong = []
    for place, cell in enumerate(cells):
        if cell is None or str(cell).strip().lower() in MISSING:
            continue
        try:
            found[place] = float(cell)
        except (TypeError, ValueError):
            wrong.append(f"line {lines[place]}: {str(cell)!r}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        comma = "; decimals are written with a point" if "," in wrong[0] else ""
        raise InputError(f"{path}: column '{name}' must hold numbers; {', '.join(wrong[:3])}{more}{comma}")
    return found


def _word(cell: Any) -> str:
    text = "" if cell is None else str(cell).strip()
    return text or NOT_SET
