"""Replay of `greenexp.exits.policies.max_probability`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.replay.confidence import confidence_staircase, first_confident, limits_at
from greenexp.replay.family import Staircase
from greenexp.replay.fields import Threshold, check_fields, sign_of
from greenexp.replay.record import ExitRecord, Ints
from greenexp.replay.softmax import max_probability

NOBODY = 2.0
"""A threshold no probability reaches: everybody leaves at the last exit."""


@dataclass(frozen=True)
class MaxProbabilityReplay:
    """An example leaves at the first exit whose largest softmax probability is >= the threshold.

    The probability is computed in float64 and rounded to float32, as the stream form does, so that both decide alike.
    Logits with a NaN or an infinity are never confident. Regression is refused.

    threshold: of every exit, or exit number -> threshold, an exit without one never letting anybody leave; a staircase
        is over one threshold for all exits, whatever it is
    comparator: `>=`, or `>`
    unsure: with `most_confident`, the answer is that of the most confident exit so far, the first of several
    """

    threshold: Threshold = 0.9
    comparator: str = ">="
    unsure: str = "last"

    parameter: ClassVar[str] = "threshold"
    evaluates_all: ClassVar[bool] = True
    rule: ClassVar[str] = (
        "Probability ≥ t: an example leaves at the first exit whose largest class probability is at least t."
    )

    @staticmethod
    def setting(threshold: float, options: dict[str, str]) -> str:
        """See `Family`."""
        sign = sign_of(options, "≥")
        unsure = options.pop("unsure", "last")
        last = "the last exit" if unsure == "last" else "the most confident exit"
        if threshold > 1:
            return f"{last}, all evaluated"
        return f"probability {sign} {threshold:.6g}{'' if unsure == 'last' else f', else {last}'}"

    def __post_init__(self) -> None:
        check_fields(self, "max_probability")

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        return first_confident(max_probability(record), limits_at(self.threshold, record.numbers), self.comparator)

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say, or the most confident one so far."""
        if self.unsure == "last":
            return record.answers()
        surest = most_confident(max_probability(record))
        return np.take_along_axis(record.answers(), surest, axis=0)

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`; one point per distinct probability that decides anything, and `NOBODY`."""
        return confidence_staircase(max_probability(record), NOBODY, self.comparator)


def most_confident(confidence: npt.NDArray[np.float32]) -> Ints:
    """[exit, example]: place of the most confident exit up to this one, the first of several; NaN is below all.

    Where every confidence so far is NaN, the exit itself.
    """
    known = np.where(np.isnan(confidence), np.float32(-np.inf), confidence)
    running = np.maximum.accumulate(known, axis=0)
    rises = known > -np.inf
    rises[1:] &= known[1:] > running[:-1]
    places = np.arange(len(known))[:, None]
    best: Ints = np.maximum.accumulate(np.where(rises, places, -1), axis=0)
    return np.where(best < 0, places, best)
