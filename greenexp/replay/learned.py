"""Replay of `greenexp.exits.policies.learned`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.replay.confidence import confidence_staircase, first_confident, limits_at
from greenexp.replay.family import Staircase
from greenexp.replay.fields import Threshold, check_fields, sign_of
from greenexp.replay.record import ExitRecord, Ints

NOBODY = -1.0
"""A threshold no probability is below: everybody leaves at the last exit."""


@dataclass(frozen=True)
class LearnedReplay:
    """An example leaves at the first exit where the model's learned exit module says less than the threshold.

    What the module says is a probability of being wrong; NaN, or anything outside 0 to 1, lets nobody leave. The
    comparison is in float32. InputError for a record without it.

    threshold: of every exit, or exit number -> threshold, an exit without one never letting anybody leave; a staircase
        is over one threshold for all exits, whatever it is
    comparator: `<`, or `<=`
    """

    threshold: Threshold = 0.3
    comparator: str = "<"

    parameter: ClassVar[str] = "threshold"
    evaluates_all: ClassVar[bool] = True
    rule: ClassVar[str] = (
        "Learned P(wrong) < t: an example leaves at the first exit whose learned module puts the probability of being "
        "wrong below t."
    )

    @staticmethod
    def setting(threshold: float, options: dict[str, str]) -> str:
        """See `Family`."""
        if threshold < 0:
            return "the last exit, all evaluated"
        return f"learned P(wrong) {sign_of(options, '<')} {threshold:.6g}"

    def __post_init__(self) -> None:
        check_fields(self, "learned")

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        return first_confident(_wrong(record), limits_at(self.threshold, record.numbers), self.comparator)

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say."""
        return record.answers()

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`; one point per distinct value that decides anything, and `NOBODY`.

        With `<` the threshold of a point is the next float32 above its value.
        """
        return confidence_staircase(_wrong(record), NOBODY, self.comparator)


def _wrong(record: ExitRecord) -> npt.NDArray[np.float32]:
    """float32 [exit, example]: what the module says, NaN where it is no probability."""
    if record.learned is None:
        raise InputError("learned needs what the model's learned exit module says, and this record has none of it")
    return np.where((record.learned >= 0) & (record.learned <= 1), record.learned, np.float32(np.nan))
