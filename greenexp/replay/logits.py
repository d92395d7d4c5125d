"""Dev logits on disk, under the hash of their bytes: whoever has the hash can trust the file.

An `.npz` without pickles: the arrays of `StoredLogits` under their names, those of its costs as `cost_<name>`. What is
None is not in the file; `learned`, `cost_latency_s` and `cost_encoder_layers` are absent from files of earlier
versions.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.durable import make_folder, write_whole
from greenexp.errors import InputError, StateError, library_failures
from greenexp.replay.record import ExitCosts, ExitRecord

_ARRAYS, _LEARNED, _COST = ("logits", "labels", "lengths", "exits"), "learned", "cost_"


@dataclass(frozen=True, eq=False)
class StoredLogits:
    """What a model said about dev.

    logits: float32 [exit, example, class], exits in the order of `exits` (numbers from 1)
    labels: int64 (classes) or float32 (regression) [example]; lengths: int32 [example], tokens
    costs: of leaving at each of `exits`, for the lengths that occur; None if they were not stored
    learned: float32 [exit, example], what the learning-to-exit module said; None of a model without one
    Examples are in the order of the dev split.
    """

    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[Any]
    lengths: npt.NDArray[np.int32]
    exits: npt.NDArray[np.int32]
    costs: ExitCosts | None = None
    learned: npt.NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        logits: npt.ArrayLike,
        labels: npt.NDArray[Any],
        lengths: npt.ArrayLike,
        exits: npt.ArrayLike,
        costs: ExitCosts | None = None,
        learned: npt.ArrayLike | None = None,
    ) -> StoredLogits:
        """The same with the right types."""
        return cls(
            np.asarray(logits, np.float32),
            labels,
            np.asarray(lengths, np.int32),
            np.asarray(exits, np.int32),
            costs,
            None if learned is None else np.asarray(learned, np.float32),
        )

    @property
    def record(self) -> ExitRecord:
        """The same for replay."""
        lengths, exits = self.lengths.astype(np.int64), self.exits.astype(np.int64)
        return ExitRecord(self.logits, self.labels, lengths, exits, self.learned)


def write_logits(folder: Path, stored: StoredLogits) -> str:
    """Write `<hash>.npz` into `folder` and return the hash (sha256, hex). Equal content is written once.

    The file appears whole or not at all. Raises StateError when it cannot be written.
    """
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {name: getattr(stored, name) for name in _ARRAYS}
    if stored.learned is not None:
        arrays[_LEARNED] = stored.learned
    np.savez(buffer, **arrays, **_cost_arrays(stored.costs))
    content = buffer.getvalue()
    name = hashlib.sha256(content).hexdigest()
    path = folder / f"{name}.npz"
    try:
        if not path.exists():
            make_folder(folder)
            write_whole(path, content)
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
    # Its hash is right, so it was written by another version, or by hand.
    with library_failures(lambda why: StateError(f"dev logits {path} cannot be understood: {why}")):
        try:
            return _understood(content)
        except InputError as error:
            raise StateError(f"dev logits {path} cannot be understood: {error}") from error


def _understood(content: bytes) -> StoredLogits:
    """The logits of a file, and that they fit each other: InputError, or what numpy and zipfile raise."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)
    needed = {name: arrays[name] for name in _ARRAYS}
    stored = StoredLogits(**needed, costs=_costs(arrays), learned=arrays.get(_LEARNED))
    numbers = [*needed.values(), *([] if stored.learned is None else [stored.learned])]
    if any(array.dtype.kind not in "iuf" for array in numbers):
        raise InputError("an array holds something else than numbers")
    if not np.isfinite(stored.labels).all():
        raise InputError("a label is not a finite number")
    exits = len(stored.record.numbers)
    if stored.costs is not None and len(stored.costs.layers) != exits:
        raise InputError(f"the costs are of {len(stored.costs.layers)} exits and the logits of {exits}")
    if stored.costs is not None:
        stored.costs.columns(stored.lengths)
    return stored


def is_whole(folder: Path, name: str) -> bool:
    """Whether the logits of the hash `name` are there, unaltered."""
    try:
        return hashlib.sha256((folder / f"{name}.npz").read_bytes()).hexdigest() == name
    except OSError:
        return False


def _cost_arrays(costs: ExitCosts | None) -> dict[str, Any]:
    arrays = {} if costs is None else {_COST + field.name: getattr(costs, field.name) for field in fields(ExitCosts)}
    return {name: array for name, array in arrays.items() if array is not None}


def _costs(arrays: Mapping[str, npt.NDArray[Any]]) -> ExitCosts | None:
    if not any(name.startswith(_COST) for name in arrays):
        return None
    needed = (field.name for field in fields(ExitCosts) if field.default is MISSING)
    layers = arrays.get(f"{_COST}encoder_layers")
    return ExitCosts(
        **{name: arrays[_COST + name] for name in needed},
        latency_s=arrays.get(f"{_COST}latency_s"),
        encoder_layers=None if layers is None else layers.item(),
    )
