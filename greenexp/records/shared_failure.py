"""One incident in which several trials lost their workers together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SharedFailure:
    """A fatal fault on a device that ended all trials on it (clients of NVIDIA's MPS).

    device: such as `GPU 0`; trials: those that lost their workers
    counted: those of them that may have made the fault, for whom it counts as a failure
    reason: the error by which it was known, of one that may have made it
    """

    device: str
    trials: tuple[str, ...]
    counted: tuple[str, ...]
    reason: str

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return {**dataclasses.asdict(self), "trials": list(self.trials), "counted": list(self.counted)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SharedFailure:
        """What `to_json` wrote."""
        return cls(data["device"], tuple(data["trials"]), tuple(data["counted"]), data["reason"])
