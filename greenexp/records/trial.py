"""What a trial is: one configuration and its seeds, frozen, with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Scalar = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class TrialSeeds:
    """The two sources of randomness of a trial, each a non-negative 32-bit integer.

    `initialisation` draws the new weights (heads, and the whole encoder if it is random). `order` draws everything
    that happens afterwards: the order of the training examples and the dropout masks.
    """

    initialisation: int
    order: int


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """One configuration with its seeds, all a worker needs to run it.

    trial: name within the sweep, `c003-i1-o0`: configuration 3, initialisation seed 1, data-order seed 0
    configuration: name of the configuration, `c003`; the seeds of one configuration share it
    index: place in the plan, from 0
    settings: the resolved sections `task backbone exits method training metric` of the sweep file for this trial
    searched: dotted path -> value of what the search chose (`{"training.learning_rate": 1e-3}`)
    seeds: see `TrialSeeds`
    fingerprint: sha256 over settings and seeds; equal fingerprints mean equal numbers on one machine
    """

    trial: str
    configuration: str
    index: int
    settings: Mapping[str, Any]
    searched: Mapping[str, Scalar]
    seeds: TrialSeeds
    fingerprint: str = field(default="")

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self.settings, self.seeds))

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return {
            "trial": self.trial,
            "configuration": self.configuration,
            "index": self.index,
            "settings": dict(self.settings),
            "searched": dict(self.searched),
            "seeds": {"initialisation": self.seeds.initialisation, "order": self.seeds.order},
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialSpec:
        """The trial `to_json` wrote."""
        return cls(
            trial=data["trial"],
            configuration=data["configuration"],
            index=data["index"],
            settings=data["settings"],
            searched=data["searched"],
            seeds=TrialSeeds(**data["seeds"]),
            fingerprint=data["fingerprint"],
        )


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text. Refuses NaN, which equals nothing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def fingerprint(settings: Mapping[str, Any], seeds: TrialSeeds) -> str:
    """sha256 (hex) of the canonical JSON of what determines a trial's numbers."""
    content = {"settings": settings, "seeds": [seeds.initialisation, seeds.order]}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
