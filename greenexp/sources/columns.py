"""Columns of a table, whatever holds it, with the place of every row, so that what is wrong can be pointed at.

Empty cells, missing values and `nan`, `na`, `null`, `none` in any case are missing numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greenexp.errors import InputError, did_you_mean
from greenexp.records.arrays import Floats

MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "<na>"})
NOT_SET = "not set"
LINE, ROW = "line", "row"
_MOST_NAMED = 10


@dataclass(frozen=True)
class Cells:
    """A table as it lies there: its cells, not yet numbers or words.

    name: of the table, for messages; header: the names of its columns; rows: a sequence of cells per row
    unit: what rows are counted in, `line` of a text file or `row`; places: [rows], the line or row of each
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    unit: str
    places: Sequence[int]


@dataclass(frozen=True)
class Columns:
    """numbers, words: by column, one value per row (a missing number is NaN, a missing word `not set`).

    name, unit, places: as in `Cells`
    """

    name: str
    numbers: Mapping[str, Floats]
    words: Mapping[str, list[str]]
    unit: str
    places: Sequence[int]

    def place(self, row: int) -> str:
        """Where a row is: `scores.csv:3`, or `the data frame: row 2`."""
        where = self.places[row]
        return f"{self.name}:{where}" if self.unit == LINE else f"{self.name}: {self.unit} {where}"

    def kept(self, rows: NDArray[np.bool_]) -> Columns:
        """The rows for which `rows` is true."""
        return Columns(
            self.name,
            {name: values[rows] for name, values in self.numbers.items()},
            {
                name: [word for word, keep in zip(words, rows, strict=True) if keep]
                for name, words in self.words.items()
            },
            self.unit,
            [place for place, keep in zip(self.places, rows, strict=True) if keep],
        )


def read_columns(cells: Cells, numbers: Sequence[str], words: Sequence[str]) -> Columns:
    """The columns `numbers` as numbers and `words` as text.

    Raises InputError for a column that is not there, with the nearest name, and for cells that are no numbers, with
    their places.
    """
    header = [str(name) for name in cells.header]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        raise InputError(f"{cells.name}: the header names {', '.join(map(repr, twice))} more than once")
    for name in (*numbers, *words):
        if name not in header:
            raise InputError(_no_column(cells.name, name, header))
    if not cells.rows:
        raise InputError(f"{cells.name}: there is a header and no row below it")
    values = {name: [row[header.index(name)] for row in cells.rows] for name in (*numbers, *words)}
    return Columns(
        name=cells.name,
        numbers={name: _numbers(cells, name, values[name]) for name in numbers},
        words={name: [_word(value) for value in values[name]] for name in words},
        unit=cells.unit,
        places=cells.places,
    )


def rows_with(columns: Columns, where: Mapping[str, str]) -> Columns:
    """The rows that have all values of `where` (column -> value). InputError if none has, with the values there are."""
    keep = np.ones(len(columns.places), dtype=bool)
    for name, value in where.items():
        words = columns.words[name]
        if value not in words:
            known = list(dict.fromkeys(words))
            listed = ", ".join(known[:_MOST_NAMED]) + (", ..." if len(known) > _MOST_NAMED else "")
            raise InputError(
                f"{columns.name}: no row has {name} = {value}{did_you_mean(value, known)} (there are: {listed})"
            )
        keep &= np.array(words, dtype=object) == value
    if not keep.any():
        pairs = ", ".join(f"{name} = {value}" for name, value in where.items())
        raise InputError(f"{columns.name}: no row has all of these values together: {pairs}")
    return columns if keep.all() else columns.kept(keep)


def _no_column(table: str, name: str, header: Sequence[str]) -> str:
    """That a column is missing; where numbers stand in the header, that the header itself seems to be missing."""
    listed = ", ".join(header)
    if any(_is_number(cell) for cell in header):
        return (
            f"{table}: there is no column '{name}', and the header seems to be missing: the first row, which must name "
            f"the columns, holds numbers ({listed})"
        )
    return f"{table}: there is no column '{name}'{did_you_mean(name, header)} (there are: {listed})"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() not in MISSING


def _numbers(cells: Cells, name: str, column: Sequence[Any]) -> Floats:
    """The cells as numbers; InputError lists the first that are none."""
    numbers = np.full(len(column), np.nan)
    wrong = []
    for row, cell in enumerate(column):
        if cell is None or str(cell).strip().lower() in MISSING:
            continue
        try:
            numbers[row] = float(cell)
        except (TypeError, ValueError):
            wrong.append(f"{cells.unit} {cells.places[row]}: {str(cell)!r}")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        comma = "; decimals are written with a point" if "," in wrong[0] else ""
        raise InputError(f"{cells.name}: column '{name}' must hold numbers; {', '.join(wrong[:3])}{more}{comma}")
    return numbers


def _word(cell: Any) -> str:
    # A missing value of pandas differs from itself.
    text = "" if cell is None or cell != cell else str(cell).strip()
    return text or NOT_SET
