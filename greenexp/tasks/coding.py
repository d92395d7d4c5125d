"""From what stands in a label column to class numbers or values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from greenexp.errors import InputError, did_you_mean
from greenexp.tasks.data import Labels
from greenexp.tasks.table import RawTable

LabelNames = Sequence[str] | Mapping[str, str | None]
"""The classes in order; or written label -> class name (None: leave such rows out), classes by first appearance."""

MOST_CLASSES = 200
"""Without a list of labels: a column with more different values is not a label column."""

_WHOLE = re.compile(r"[+-]?\d+")


@dataclass(frozen=True)
class Coding:
    """How labels are read.

    names: of the classes, empty for regression; numbers: written label -> class, -1: such rows are left out
    """

    names: tuple[str, ...]
    numbers: Mapping[str, int]

    @property
    def is_regression(self) -> bool:
        """Whether labels are values, not classes."""
        return not self.names

    @classmethod
    def of(cls, table: RawTable, label: str | int, given: LabelNames | None, regression: bool | None) -> Coding:
        """The coding of a train split's labels.

        given: see `LabelNames`. Without it labels are values if all are numbers and one is not whole (`5.000`), else
        classes in numerical or alphabetical order; `regression` decides where that guess is wrong.
        """
        if given is not None:
            if regression:
                raise InputError("labels: there are none in a regression; leave them out or set regression: false")
            return cls._given(given)
        written = {_written(value) for value in table.column(label)}
        whole = all(_WHOLE.fullmatch(value) for value in written)
        if regression or (regression is None and not whole and all(map(_is_number, written))):
            return cls((), {})
        if len(written) > MOST_CLASSES or len(written) < 2:
            raise InputError(
                f"{table.source}: label column {label!r} has {len(written)} different values, e.g. "
                f"'{min(written)[:40]}': expected 2 to {MOST_CLASSES} classes; name another column, or list `labels`"
            )
        names = sorted(written, key=int) if whole else sorted(written)
        return cls(tuple(names), {name: number for number, name in enumerate(names)})

    @classmethod
    def _given(cls, given: LabelNames) -> Coding:
        pairs = given.items() if isinstance(given, Mapping) else [(name, name) for name in given]
        names = tuple(dict.fromkeys(name for _, name in pairs if name is not None))
        if len(names) < 2:
            raise InputError(f"labels: {', '.join(names) or 'none'}: expected at least two classes")
        return cls(names, {written: -1 if name is None else names.index(name) for written, name in pairs})

    def encode(self, table: RawTable, label: str | int) -> tuple[Labels, Sequence[int]]:
        """The labels of the rows that are kept, and which rows those are. Raises InputError with file and line."""
        values = [_written(value) for value in table.column(label)]
        if self.is_regression:
            return np.array(list(_numbers(table, values)), dtype=np.float32), range(len(values))
        for row, value in enumerate(values):
            if value not in self.numbers:
                raise InputError(
                    f"{table.place(row)}: label '{value[:40]}'{did_you_mean(value, self.numbers)}: expected "
                    f"{', '.join(self.numbers)}"
                )
        kept = [row for row, value in enumerate(values) if self.numbers[value] >= 0]
        return np.array([self.numbers[values[row]] for row in kept], dtype=np.int64), kept


def _written(value: Any) -> str:
    """A label as text: JSON's `1` and `true` as they are written there."""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _numbers(table: RawTable, values: Iterable[str]) -> Iterable[float]:
    for row, value in enumerate(values):
        if not _is_number(value):
            raise InputError(f"{table.place(row)}: label '{value[:40]}': expected a finite number")
        yield float(value)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
