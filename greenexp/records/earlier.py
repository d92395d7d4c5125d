"""Configurations of earlier sweeps, which a search is told before it proposes anything."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from greenexp.records.values import Value

EarlierState = Literal["complete", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class EarlierConfiguration:
    """One configuration of another sweep, all of whose seeds have ended.

    source: where the sweep was read from, as the user named it; configuration: its name there
    values: path -> value, of the fields that this sweep searches
    state: as of `analysis.sweeps.configurations`; score: mean over seeds, None if it failed
    epochs: that each seed trained, at least; objectives: objective -> mean over seeds, None where it is not on record
    """

    source: str
    configuration: str
    values: Mapping[str, Value]
    state: EarlierState
    score: float | None
    epochs: int
    objectives: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EarlierConfiguration:
        """What `to_json` wrote."""
        return cls(**data)
