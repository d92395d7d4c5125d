"""Replay of `greenexp.exits.policies.max_probability`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.records.replay.confidence import confidence_staircase, first_confident
from greenexp.records.replay.family import Staircase
from greenexp.records.replay.record import ExitRecord, Ints

NOBODY = 2.0
"""A threshold no probability reaches: everybody leaves at the last exit."""


@dataclass(frozen=True)
class MaxProbability:
    """An example leaves at the first exit whose largest softmax probability is >= the threshold.

    The comparator is `>=`. The probability is computed in float64 and rounded to float32, as the stream form does, so
    that both decide alike. Logits with a NaN or an infinity are never confident. Regression is refused.
    """

    threshold: float = 0.9

    parameter: ClassVar[str] = "threshold"
    evaluates_all: ClassVar[bool] = True

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        return first_confident(max_probability(record), self.threshold)

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say."""
        return record.answers()

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`; one point per distinct probability that decides anything, and `NOBODY`."""
        return confidence_staircase(max_probability(record), NOBODY)


def max_probability(record: ExitRecord) -> npt.NDArray[np.float32]:
    """[exit, example]: largest softmax probability, 1 / sum_k exp(z_k - max z); NaN where a logit is not finite."""
    if record.is_regression:
        raise InputError("max_probability needs at least two classes: a regression output has no confidence")
    values = record.classes_first()
    with np.errstate(invalid="ignore", over="ignore"):
        values -= values.max(axis=0)
        total = np.exp(values, out=values).sum(axis=0)
        finite = np.isfinite(record.logits.sum(axis=2, dtype=np.float64))  # in float64 finite logits cannot overflow
    total[~finite] = np.nan
    probability: npt.NDArray[np.float32] = (1 / total).astype(np.float32)
    return probability
