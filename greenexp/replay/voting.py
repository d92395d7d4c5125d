"""Replay of `greenexp.exits.policies.voting`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.replay.confidence import confidence_staircase, first_confident
from greenexp.replay.family import Staircase
from greenexp.replay.fields import check_fields
from greenexp.replay.record import ExitRecord, Ints


@dataclass(frozen=True)
class VotingReplay:
    """An example leaves at the first exit i (consulted exits, from 1) with max_c votes_c / i^exponent >= the threshold.

    A reconstruction (see the stream form). Votes are whole, i^exponent is Python's float power and the quotient that of
    float64, so that both forms decide alike. Regression is refused.
    """

    threshold: float = 2.0
    exponent: float = 0.5

    parameter: ClassVar[str] = "threshold"
    evaluates_all: ClassVar[bool] = True
    remark: ClassVar[str] = "voting: a reconstruction of Sun et al. 2021, whose text was not at hand"
    rule: ClassVar[str] = (
        "Vote score ≥ t: an example leaves at the first exit i at which the votes of exits 1 to i for the leading "
        "class, divided by i^0.5 (or the exponent given), are at least t; the leading class is the answer. A "
        "reconstruction of the voting of Sun et al. 2021, whose text was not at hand."
    )

    @staticmethod
    def setting(threshold: float, _: dict[str, str]) -> str:
        """See `Family`."""
        return f"vote score ≥ {threshold:.6g}"

    def __post_init__(self) -> None:
        check_fields(self, "voting")

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        return first_confident(self._shares(record), self.threshold, ">=")

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: the class with the most votes so far, the first of several."""
        winners: Ints = _votes(record).argmax(axis=0)
        return winners

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`; one point per distinct value that decides anything, and one above all of them."""
        return confidence_staircase(self._shares(record), len(record.numbers) + 1.0, ">=")

    def _shares(self, record: ExitRecord) -> npt.NDArray[np.float64]:
        """[exit, example]: max_c votes_c / i^exponent; NaN before the first vote."""
        powers = np.array([[float(number) ** self.exponent] for number in range(1, len(record.numbers) + 1)])
        most = _votes(record).max(axis=0)
        return np.where(most > 0, most / powers, np.nan)


def _votes(record: ExitRecord) -> Ints:
    """[class, exit, example]: how many exits up to this one predict the class; one with a NaN does not vote."""
    if record.is_regression:
        raise InputError("voting needs at least two classes: numbers cannot be counted as votes")
    voted = record.known_predictions() == np.arange(record.logits.shape[2])[:, None, None]
    votes: Ints = np.cumsum(voted, axis=1, dtype=np.int64)
    return votes
