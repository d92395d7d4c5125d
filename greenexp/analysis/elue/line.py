"""Rows of (MFLOPs, points), checked, and the piecewise linear line through those of a baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.numbers.rounding import SHARE_ROUNDING
from greenexp.errors import InputError
from greenexp.records.arrays import Floats

Outside = Literal["refuse", "clamp"]
OUTSIDE: tuple[Outside, ...] = ("refuse", "clamp")
MFLOPS, POINTS = "mflops", "points"
"""Names of the two columns wherever they have names."""
MOST_NAMED = 5
"""Points that a refusal names one by one."""


def checked_rows(rows: Any, name: str) -> Floats:
    """[row, 2]: MFLOPs and points of each row, as float64, in the order given.

    rows: pairs (MFLOPs, points), an array [row, 2], or a data frame: its columns `mflops` and `points` (in any case, in
        any order) if it has both, else its only two columns in their order, unless a name contradicts it; name: what
        the rows are, for messages
    Raises InputError for what are no such rows, with the place (rows from 0): not two numbers, not finite, a negative
    number of MFLOPs, none at all; and for columns of which it is not clear which is which.
    """
    if isinstance(rows, pd.DataFrame):
        rows = _two_columns(rows, name)
    try:
        if isinstance(rows, str | bytes | Mapping):
            raise TypeError
        each = iter(rows)  # an array without dimensions has the method, and no rows
    except TypeError:
        raise InputError(f"{name}: expected rows of (MFLOPs, points), received {type(rows).__name__}") from None
    pairs = [_pair(row, f"{name}, row {place}") for place, row in enumerate(each)]
    if not pairs:
        raise InputError(f"{name}: there is no row; expected rows of (MFLOPs, points)")
    return np.array(pairs, dtype=np.float64)


def _two_columns(frame: pd.DataFrame, name: str) -> list[tuple[Any, Any]]:
    """Its rows as pairs (MFLOPs, points)."""
    names = [str(column).strip().lower() for column in frame.columns]
    received = f"received {', '.join(map(str, frame.columns)) or 'none'}"
    for known in (MFLOPS, POINTS):
        if names.count(known) > 1:
            raise InputError(f"{name}: more than one column is called {known}, apart from case; {received}")
    if {MFLOPS, POINTS} <= set(names):
        places = names.index(MFLOPS), names.index(POINTS)
    elif len(names) != 2:
        raise InputError(
            f"{name}: expected a data frame with the columns {MFLOPS} and {POINTS}, or with two columns in this "
            f"order; {received}"
        )
    elif names[0] in {POINTS, names[1]} or names[1] == MFLOPS:
        raise InputError(
            f"{name}: of two columns the first is taken for {MFLOPS} and the second for {POINTS}, and their names do "
            f"not say so: call them {MFLOPS} and {POINTS}; {received}"
        )
    else:
        places = 0, 1
    return list(zip(*(frame.iloc[:, place].tolist() for place in places), strict=True))


def _pair(row: Any, place: str) -> tuple[float, float]:
    try:
        if isinstance(row, str | bytes | Mapping):
            raise TypeError
        flops, points = (float(value) for value in row)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{place}: expected two numbers, MFLOPs and points, received {row!r}") from None
    if not math.isfinite(flops) or not math.isfinite(points):
        raise InputError(f"{place}: MFLOPs and points must be finite, received {flops:g} and {points:g}")
    if flops < 0:
        raise InputError(f"{place}: a cost cannot be negative, received {flops:g} MFLOPs")
    return flops, points


@dataclass(frozen=True, slots=True, eq=False)
class BaselineLine:
    """Straight segments between a baseline's points, in the order of their MFLOPs.

    mflops: [P] ascending, each once, P at least 2; points: [P]
    """

    mflops: Floats
    points: Floats

    @classmethod
    def of(cls, baseline: Any) -> BaselineLine:
        """From rows as `checked_rows` takes them, in any order; a line is taken as it is.

        Raises InputError besides for fewer than two points, for MFLOPs that are given twice, and for a line too steep
        to compute with.
        """
        if isinstance(baseline, cls):
            return baseline
        rows = checked_rows(baseline, "baseline")
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        twice = np.unique(rows[1:, 0][np.diff(rows[:, 0]) == 0])
        if twice.size:
            shown = ", ".join(f"{flops:g}" for flops in twice[:MOST_NAMED])
            raise InputError(f"baseline: {shown} MFLOPs are given more than once; a line has one value at each cost")
        if len(rows) < 2:
            raise InputError("baseline: there is one point, and a line needs at least two")
        with np.errstate(over="ignore"):
            steep = ~np.isfinite(np.diff(rows[:, 1]) / np.diff(rows[:, 0]))
        if steep.any():
            (f0, p0), (f1, p1) = rows[steep.argmax() :][:2]
            raise InputError(
                f"baseline: no number is large enough for the slope from {p0:g} points at {f0:g} MFLOPs to {p1:g} at "
                f"{f1:g}"
            )
        return cls(rows[:, 0], rows[:, 1])

    @property
    def range_text(self) -> str:
        """`100 to 2000 MFLOPs`."""
        return f"{self.mflops[0]:g} to {self.mflops[-1]:g} MFLOPs"

    def outside(self, mflops: Floats) -> NDArray[np.bool_]:
        """[N]: which costs lie below the first or above the last point, by more than rounding."""
        slack = SHARE_ROUNDING * self.mflops[-1]
        wrong: NDArray[np.bool_] = (mflops < self.mflops[0] - slack) | (mflops > self.mflops[-1] + slack)
        return wrong

    def at(self, mflops: Floats) -> Floats:
        """[N]: the line's height in points; beyond its ends, that of the nearest end."""
        return np.interp(mflops, self.mflops, self.points)
