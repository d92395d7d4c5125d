"""Replay of `greenexp.exits.policies.entropy`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy.typing as npt

from greenexp.replay.confidence import confidence_staircase, first_confident, limits_at
from greenexp.replay.family import Staircase
from greenexp.replay.fields import Threshold, check_fields, sign_of
from greenexp.replay.record import ExitRecord, Ints
from greenexp.replay.softmax import entropy

NOBODY = -1.0
"""A threshold no entropy is below, DeeBERT's default: everybody leaves at the last exit."""


@dataclass(frozen=True)
class EntropyReplay:
    """An example leaves at the first exit whose entropy is < the threshold.

    The entropy is computed in float64 and rounded to float32, as the stream form does, so that both decide alike.
    Logits with a NaN or an infinity are never confident. Regression is refused.

    threshold: of every exit, or exit number -> threshold, an exit without one never letting anybody leave; a staircase
        is over one threshold for all exits, whatever it is
    normalised: false: in nats; true: divided by ln K
    comparator: `<`, or `<=`
    """

    threshold: Threshold = 0.3
    normalised: bool = False
    comparator: str = "<"

    parameter: ClassVar[str] = "threshold"
    evaluates_all: ClassVar[bool] = True
    rule: ClassVar[str] = "Entropy < t: an example leaves at the first exit whose entropy is below t."

    @staticmethod
    def setting(threshold: float, options: dict[str, str]) -> str:
        """See `Family`."""
        sign = sign_of(options, "<")
        if threshold < 0:
            return "the last exit, all evaluated"
        if options.pop("normalised", "false") == "true":
            return f"entropy / ln K {sign} {threshold:.6g}"
        return f"entropy {sign} {threshold:.6g} nats"

    def __post_init__(self) -> None:
        check_fields(self, "entropy")

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        limits = limits_at(self.threshold, record.numbers)
        return first_confident(entropy(record, self.normalised), limits, self.comparator)

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say."""
        return record.answers()

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`; one point per distinct entropy that decides anything, and `NOBODY`.

        With `<` the threshold of a point is the next float32 above its entropy.
        """
        return confidence_staircase(entropy(record, self.normalised), NOBODY, self.comparator)
