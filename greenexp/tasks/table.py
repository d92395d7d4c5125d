"""Rows of some file or dataset, with a name for every place, so that an error can say where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from greenexp.errors import InputError, did_you_mean


@dataclass(frozen=True)
class RawTable:
    """Rows as they were read.

    source: what a message calls them; rows: sequences in the order of `names` (or without names), or mappings
    names: of the columns; None if only their numbers are known, or if every row has its own (mappings)
    lines: where each row begins in the source, from 1; digest: sha256 of the source, or an empty string
    left_out: broken rows that were not read, where that was allowed
    """

    source: str
    rows: Sequence[Sequence[Any] | Mapping[str, Any]]
    lines: Sequence[int]
    names: tuple[str, ...] | None = None
    digest: str = ""
    left_out: int = 0

    def place(self, row: int) -> str:
        """`file:line` of a row (from 0)."""
        return f"{self.source}:{self.lines[row]}"

    def column(self, key: str | int) -> list[Any]:
        """The values of a column by its name, or by its number from 0. Raises InputError that says what there is."""
        if not self.rows:
            raise InputError(f"{self.source}: no rows")
        return list(self._values(self._number(key)))

    def _number(self, key: str | int) -> str | int:
        if isinstance(key, str):
            if self.names is None:
                if isinstance(self.rows[0], Mapping):
                    return key
                raise InputError(f"{self.source}: column '{key}': without a header columns have numbers, from 0")
            if self.names.count(key) != 1:
                there = (
                    "is there more than once" if key in self.names else f"is not there{did_you_mean(key, self.names)}"
                )
                raise InputError(f"{self.source}:1: column '{key}' {there} (columns: {', '.join(self.names)})")
            return self.names.index(key)
        if isinstance(self.rows[0], Mapping):
            raise InputError(f"{self.source}: column {key}: rows are objects, whose columns have names")
        if key >= len(self.rows[0]):
            raise InputError(f"{self.place(0)}: column {key}: there are {len(self.rows[0])} columns, counted from 0")
        return key

    def _values(self, key: str | int) -> Iterator[Any]:
        for number, row in enumerate(self.rows):
            if isinstance(row, Mapping):
                if key not in row:
                    known = ", ".join(row) or "none"
                    near = did_you_mean(str(key), row)
                    raise InputError(f"{self.place(number)}: field '{key}' is not there{near} (fields: {known})")
                yield row[str(key)]
            else:
                yield row[int(key)]
