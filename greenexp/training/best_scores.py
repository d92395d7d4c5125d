"""The best scores of a trial so far, of reports that can be compared with each other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from greenexp.methods.base import MethodRun
from greenexp.records.epoch import EpochRecord
from greenexp.records.progress import epochs_at


@dataclass(eq=False, slots=True)
class BestScores:
    """What later reports are compared with.

    method: which says what exits are trained; per_epoch: reports of an epoch; has_part: whether those within an epoch
        are on a part of dev
    whole, on_part: of reports on all of dev, and on the part of it; None before the first
    """

    method: MethodRun
    per_epoch: int
    has_part: bool
    whole: float | None = None
    on_part: float | None = None

    def is_on_part(self, report: int) -> bool:
        """Whether a report, by its number from 1, is on a part of dev: within an epoch, if a part was asked for."""
        return self.has_part and report % self.per_epoch > 0

    def before(self, report: int) -> float | None:
        """The best score so far on the same examples, if the report before on them was over the same exits."""
        is_on_part = self.is_on_part(report)
        alike = (one for one in range(report - 1, 0, -1) if self.is_on_part(one) == is_on_part)
        if self._exits(report) != self._exits(next(alike, report)):
            return None
        return self.on_part if is_on_part else self.whole

    def note(self, record: EpochRecord) -> None:
        """A report was made."""
        if record.dev_examples is None:
            self.whole = record.best_score
        else:
            self.on_part = record.best_score

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` gave. Raises KeyError."""
        self.whole, self.on_part = state["best_score"], state.get("best_on_part")

    def state(self) -> dict[str, float | None]:
        """For a checkpoint."""
        return {"best_score": self.whole, "best_on_part": self.on_part}

    def _exits(self, report: int) -> tuple[int, ...]:
        return self.method.trained_exits(math.ceil(epochs_at(report, self.per_epoch)))
