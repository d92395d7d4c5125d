"""Replay of `greenexp.exits.policies.static`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.replay.family import Staircase
from greenexp.replay.fields import check_fields
from greenexp.replay.record import ExitRecord, Ints


@dataclass(frozen=True)
class StaticReplay:
    """Everybody leaves at one exit, and no other is evaluated.

    exit: its number, from 1; the next trained one if it was not trained; None for the last
    """

    exit: int | None = None

    parameter: ClassVar[str] = "exit"
    evaluates_all: ClassVar[bool] = False
    remark: ClassVar[str] = "static: all examples leave at that exit, and no other exit is evaluated"

    @staticmethod
    def setting(threshold: float, _: dict[str, str]) -> str:
        """See `Family`."""
        return f"exit {threshold:.0f}"

    def __post_init__(self) -> None:
        check_fields(self, "static")

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        last = len(record.numbers) - 1
        place = last if self.exit is None else min(int(np.searchsorted(record.numbers, self.exit)), last)
        return np.full(record.logits.shape[1], place, dtype=np.int64)

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say."""
        return record.answers()

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`; thresholds are the exits' numbers."""
        exits, examples = record.logits.shape[:2]
        after = np.repeat(np.arange(1, exits), examples)
        return Staircase(
            thresholds=record.numbers.astype(np.float64),
            start=np.zeros(examples, dtype=np.int64),
            point=after,
            example=np.tile(np.arange(examples), exits - 1),
            before=after - 1,
            after=after,
        )
