"""Flat arrays of tokens in files: stretches of them are read when a batch is made, and nothing else is in memory."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from greenexp.errors import StateError

Array = npt.NDArray[Any]
_BLOCK_B = 1 << 20


def tokens_folder() -> Path:
    """Where tokens lie on this machine, a folder for each tokenised text; XDG_CACHE_HOME names another disk."""
    return user_cache_path("greenexp") / "tokens"


class TokenFile:
    """An array [token] in a file that never changes once it has its name.

    It is read and not mapped: what was read does not count as the process's memory, and a damaged disk is an error and
    not a signal. To another process it travels as its name; on a machine without `folder` the file is the one of that
    folder's name among the machine's own (`tokens_folder`).

    folder, name: of the file; dtype: of its numbers; size: how many there are
    """

    def __init__(self, folder: Path, name: str, dtype: str, size: int) -> None:
        self.folder, self.name, self.dtype, self._size = folder, name, np.dtype(dtype), size
        self._descriptor: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return TokenFile, (self.folder, self.name, self.dtype.str, self._size)

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, piece: slice) -> Array:
        first, last, _ = piece.indices(self._size)
        return self._read(first, max(last - first, 0))

    def stretches(self, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Array:
        """The stretches that begin at `starts`, behind one another."""
        found = [self._read(start, length) for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)]
        return np.concatenate(found)

    def blocks(self) -> Iterator[Array]:
        """The whole array, a piece at a time."""
        step = _BLOCK_B // self.dtype.itemsize
        for first in range(0, self._size, step):
            yield self[first : first + step]

    @property
    def path(self) -> Path:
        """Where the file lies on this machine."""
        given = self.folder / self.name
        can_be_read = os.access(given, os.R_OK)  # not where it is another user's
        return given if can_be_read else tokens_folder() / self.folder.name / self.name

    def _read(self, first: int, count: int) -> Array:
        width = self.dtype.itemsize
        try:
            found = os.pread(self._opened(), count * width, first * width)
        except OSError as error:
            raise StateError(f"{self.path} cannot be read: {error.strerror or error}") from error
        if len(found) != count * width:
            raise StateError(f"{self.path} is shorter than it was written; the next session makes it anew")
        return np.frombuffer(found, dtype=self.dtype)

    def _opened(self) -> int:
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._descriptor)
        return self._descriptor


Tokens: TypeAlias = Array | TokenFile
"""An array [token] in memory, or in a file."""


def stretches_of(tokens: Tokens, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> Array:
    """The stretches of `tokens` that begin at `starts` and are `lengths` long, behind one another."""
    if isinstance(tokens, TokenFile):
        return tokens.stretches(starts, lengths)
    ends = np.cumsum(lengths)
    return tokens[np.arange(ends[-1]) + np.repeat(starts - ends + lengths, lengths)]
