"""The result of evaluating a chosen trial on the test set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from greenexp.records.epoch import ExitScore
from greenexp.records.progress import Epochs


@dataclass(frozen=True, slots=True)
class HeldOutRecord:
    """One evaluation of one trial's best-epoch model on test.

    epoch: the epoch whose model it is (the best on dev); examples: size of the test set
    score: the sweep's metric on test, over the same exits as on dev
    exits: as on dev, with metrics and mean inference FLOPs of the test examples
    logits: content hash of the stored test logits, or None
    """

    epoch: Epochs
    examples: int
    score: float
    exits: tuple[ExitScore, ...]
    logits: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; `from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> HeldOutRecord:
        """The record `to_json` wrote."""
        return cls(**{**data, "exits": tuple(ExitScore(**score) for score in data["exits"])})
