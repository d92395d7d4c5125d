"""Measured latency: seconds of one example by exit and length, as a file that `greenexp bench` writes and replay reads.

A table belongs to one model on one device with one number of threads; it says nothing about another. numpy alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.durable import write_whole
from greenexp.errors import InputError, StateError

FORMAT = 1
_FACTS = {"device": str, "threads": int, "precision": str}


@dataclass(frozen=True, eq=False)
class LatencyTable:
    """Median seconds of one example, batch 1 and unpadded, every consulted exit on the way evaluated.

    device: in words; threads: of the CPU; precision: of the matrix products
    exits: int64 [exit], the consulted exits' numbers, ascending; lengths: int64 [length], tokens, ascending
    seconds: float64 [exit, length], of an example of that length that leaves at that exit
    InputError where they contradict each other or a time is not finite and above 0.
    """

    device: str
    threads: int
    precision: str
    exits: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("exits", "lengths"):
            object.__setattr__(self, name, _ascending(name, getattr(self, name)))
        seconds = np.asarray(self.seconds, dtype=np.float64)
        shape = (len(self.exits), len(self.lengths))
        if seconds.shape != shape:
            raise InputError(
                f"seconds of {shape[0]} exits at {shape[1]} lengths must have that shape, received {seconds.shape}"
            )
        bad = ~(np.isfinite(seconds) & (seconds > 0))
        if bad.any():
            raise InputError(f"seconds must be finite and above 0, received {seconds[bad][0]}")
        object.__setattr__(self, "seconds", seconds)

    def at(self, lengths: npt.ArrayLike, exits: Iterable[int] | None = None) -> npt.NDArray[np.float64]:
        """Seconds [exit, length] at `lengths` of `exits` (None: all of the table), linear between measured lengths.

        Raises InputError for an exit or a length that was not measured: nothing is extrapolated.
        """
        wanted = np.asarray(lengths, dtype=np.int64)
        low, high = int(self.lengths[0]), int(self.lengths[-1])
        outside = (wanted < low) | (wanted > high)
        if outside.any():
            raise InputError(
                f"latency at length {wanted[outside].flat[0]} was not measured: the table covers {low} to {high} tokens"
            )
        rows = self.seconds if exits is None else self.seconds[[self._place(number) for number in exits]]
        return np.array([np.interp(wanted, self.lengths, row) for row in rows]).reshape(len(rows), *wanted.shape)

    def _place(self, number: int) -> int:
        found = np.flatnonzero(self.exits == number)
        if not len(found):
            raise InputError(f"latency of exit {number} was not measured: the table has {self.exits.tolist()}")
        return int(found[0])


def write_latency(path: Path, table: LatencyTable) -> None:
    """Write the table as JSON; the file appears whole or not at all. Raises StateError when it cannot be written."""
    content = {
        "format": FORMAT,
        **{name: getattr(table, name) for name in _FACTS},
        **{name: getattr(table, name).tolist() for name in ("exits", "lengths", "seconds")},
    }
    try:
        write_whole(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
    except OSError as error:
        raise StateError(f"the latency table cannot be written to {path}: {error.strerror or error}") from error


def read_latency(path: Path) -> LatencyTable:
    """The table `write_latency` wrote. Raises StateError if absent, half-written, damaged or of another format."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise StateError(f"latency table {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise StateError(f"latency table {path} is damaged or half-written: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise StateError(f"latency table {path} has format {found!r}, this version reads {FORMAT}")
    try:
        facts = {name: _of_type(name, content[name], kind) for name, kind in _FACTS.items()}
        return LatencyTable(**facts, **{name: content[name] for name in ("exits", "lengths", "seconds")})
    except KeyError as error:
        raise StateError(f"latency table {path} lacks {error.args[0]}") from error
    except (InputError, TypeError, ValueError, OverflowError) as error:
        raise StateError(f"latency table {path} is damaged: {error}") from error


def _ascending(name: str, values: Any) -> npt.NDArray[np.int64]:
    given = np.asarray(values)
    numbers = given.astype(np.int64) if given.dtype.kind in "iu" else np.zeros(0, dtype=np.int64)
    is_rising = numbers.ndim == 1 and len(numbers) > 0 and numbers[0] >= 1 and bool((np.diff(numbers) > 0).all())
    if not is_rising or (numbers != given).any():
        raise InputError(f"{name} must be ascending whole numbers from 1, each once; received {given.tolist()}")
    return numbers


def _of_type(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{name} is {value!r}, which is no {kind.__name__}")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no time")
