"""Dev logits on disk, under the hash of their bytes: whoever has the hash can trust the file."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.errors import StateError


@dataclass(frozen=True, eq=False)
class StoredLogits:
    """What a model said about dev.

    logits: float32 [exit, example, class], exits in the order of `exits` (numbers from 1)
    labels: int64 (classes) or float32 (regression) [example]; lengths: int32 [example], tokens
    Examples are in the order of the dev split.
    """

    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[Any]
    lengths: npt.NDArray[np.int32]
    exits: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls, logits: npt.ArrayLike, labels: npt.NDArray[Any], lengths: npt.ArrayLike, exits: npt.ArrayLike
    ) -> StoredLogits:
        """The same with the right types."""
        return cls(np.asarray(logits, np.float32), labels, np.asarray(lengths, np.int32), np.asarray(exits, np.int32))


def write_logits(folder: Path, stored: StoredLogits) -> str:
    """Write `<hash>.npz` into `folder` and return the hash (sha256, hex). Equal content is written once.

    The file appears whole or not at all. Raises StateError when it cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, logits=stored.logits, labels=stored.labels, lengths=stored.lengths, exits=stored.exits)
    content = buffer.getvalue()
    name = hashlib.sha256(content).hexdigest()
    path = folder / f"{name}.npz"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _write_whole(path, content)
    except OSError as error:
        raise StateError(f"dev logits cannot be written to {path}: {error.strerror or error}") from error
    return name


def read_logits(folder: Path, name: str) -> StoredLogits:
    """The logits `write_logits` stored under the hash `name`. Raises StateError if absent, unreadable or altered."""
    path = folder / f"{name}.npz"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StateError(f"dev logits {path} cannot be read: {error.strerror or error}") from error
    if hashlib.sha256(content).hexdigest() != name:
        raise StateError(f"dev logits {path} were altered: their hash is not their name")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return StoredLogits(arrays["logits"], arrays["labels"], arrays["lengths"], arrays["exits"])


def _write_whole(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".logits-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would keep the results from everyone else
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
