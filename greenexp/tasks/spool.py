"""Passages of text on disk instead of in memory: written one after the other, then read by their numbers."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from greenexp.errors import StateError
from greenexp.tasks.data import Split

Offsets = npt.NDArray[np.int64]
_BLOCK = 512
"""Examples that are read at once where all are wanted in their order."""
_BUFFER_B = 1 << 20


class _NamelessFile:
    """A file that its writer and its readers hold; it is gone with the last of them, or with the process."""

    def __init__(self, folder: Path) -> None:
        self._file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
        self._buffer = bytearray()
        weakref.finalize(self, self._file.close)

    def write(self, content: bytes) -> None:
        self._buffer += content
        if len(self._buffer) >= _BUFFER_B:
            self.flush()

    def flush(self) -> None:
        rest, self._buffer = memoryview(self._buffer), bytearray()
        while rest:
            rest = rest[self._file.write(rest) :]

    def read(self, begin: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - begin, begin)


class PassageSpool:
    """Labelled pairs of passages, written to a file without a name, which is gone once nobody has it open.

    folder: of the file, on a disk. Raises StateError where the disk does not take it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ends, self._labels = array("q", [0]), array("q")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _NamelessFile(folder)
        except OSError as error:
            raise self._refused(error) from error

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, first: str, second: str, label: int) -> None:
        """One more example. Its passages hold neither tabs nor line ends."""
        line = f"{first}\t{second}\n".encode("utf-8", "surrogatepass")
        try:
            self._file.write(line)
        except OSError as error:
            raise self._refused(error) from error
        self._ends.append(self._ends[-1] + len(line))
        self._labels.append(label)

    def split(self) -> Split:
        """What was added, in that order; 16 bytes of an example are in memory."""
        try:
            self._file.flush()
        except OSError as error:
            raise self._refused(error) from error
        offsets = np.frombuffer(self._ends, dtype=np.int64)
        firsts, seconds = (SpooledTexts(self._file, offsets, column) for column in (0, 1))
        return Split(firsts, np.frombuffer(self._labels, dtype=np.int64), seconds)

    def _refused(self, error: OSError) -> StateError:
        return StateError(f"texts cannot be written to {self._folder}: {error.strerror or error}")


class SpooledTexts(Sequence[str]):
    """One column of a spool's lines, read from its file when it is asked for.

    offsets: int64 [line + 1], where lines begin; rows: int64 [example], which lines these are; None: all
    """

    def __init__(self, file: _NamelessFile, offsets: Offsets, column: int, rows: Offsets | None = None) -> None:
        self._file, self._offsets, self._column, self._rows = file, offsets, column, rows

    def taken(self, indices: Offsets) -> SpooledTexts:
        """The examples `indices`, in that order."""
        rows = indices if self._rows is None else self._rows[indices]
        return SpooledTexts(self._file, self._offsets, self._column, rows)

    def __len__(self) -> int:
        return len(self._offsets) - 1 if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        places = range(len(self))[index]
        if isinstance(places, range):
            return [self[place] for place in places]
        row = places if self._rows is None else int(self._rows[places])
        return next(self._lines(row, row + 1))

    def __iter__(self) -> Iterator[str]:
        if self._rows is not None:
            yield from (self[place] for place in range(len(self)))
            return
        for first in range(0, len(self), _BLOCK):
            yield from self._lines(first, min(first + _BLOCK, len(self)))

    def _lines(self, first: int, last: int) -> Iterator[str]:
        block = self._file.read(int(self._offsets[first]), int(self._offsets[last]))
        for line in block.removesuffix(b"\n").split(b"\n"):
            yield line.split(b"\t")[self._column].decode("utf-8", "surrogatepass")
