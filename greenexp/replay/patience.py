"""Replay of `greenexp.exits.policies.patience`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.replay.confidence import confidence_staircase, first_confident
from greenexp.replay.family import Staircase
from greenexp.replay.fields import check_fields, limit_at
from greenexp.replay.record import ExitRecord, Ints


@dataclass(frozen=True)
class PatienceReplay:
    """An example leaves once `patience` exits in a row have agreed with the one before them.

    A staircase over classes, or over numbers with a tolerance given, is over patience: 1, 2, ..., exits - 1, at which
    all reach the last exit (with one exit, 1 alone). Over numbers without a tolerance it is over the tolerance, at this
    patience: one point per distinct difference that decides anything, and 0, at which nobody leaves early.

    patience: 0: all run to the last exit
    tolerance: of numbers: two agree if they are less than this apart, in float32
    """

    patience: int = 3
    tolerance: float | None = None

    parameter: ClassVar[str] = "patience"
    parameters: ClassVar[tuple[str, ...]] = ("patience", "tolerance")
    evaluates_all: ClassVar[bool] = True
    rule: ClassVar[str] = (
        "Patience p: an example leaves as soon as p exits in a row have agreed with the one before them."
    )

    @staticmethod
    def setting(threshold: float, options: dict[str, str]) -> str:
        """See `Family`."""
        if "patience" in options:
            return f"patience {options.pop('patience')} within {threshold:.6g}"
        within = f" within {options.pop('tolerance')}" if "tolerance" in options else ""
        return f"patience {threshold:.6g}{within}"

    def __post_init__(self) -> None:
        check_fields(self, "patience")

    def swept(self, record: ExitRecord) -> str:
        """Which field a staircase over this record is over."""
        return "tolerance" if record.is_regression and self.tolerance is None else "patience"

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        never = len(record.numbers)
        return first_confident(self._agreements(record), self.patience or never, ">=")

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say."""
        return record.answers()

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`."""
        if self.swept(record) == "tolerance":
            return confidence_staircase(_lasting(_differences(record), self.patience), 0.0, "<")
        agreements = self._agreements(record)
        most = max(len(agreements) - 1, 1)
        steps = confidence_staircase(np.where(agreements > 0, agreements, np.nan), most, ">=")
        return replace(  # a point for every patience, also for one that changes nothing
            steps,
            thresholds=np.arange(most, 0, -1, dtype=np.float64),
            point=most - steps.thresholds[steps.point].astype(np.int64),
        )

    def _agreements(self, record: ExitRecord) -> npt.NDArray[np.float64]:
        """[exit, example]: how many exits in a row have agreed with the one before, up to here."""
        if record.is_regression:
            if self.tolerance is None:
                raise InputError("patience on a regression output needs a tolerance: how far apart numbers may be")
            agree = _differences(record) < limit_at(self.tolerance, 1)
        elif self.tolerance is not None:
            raise InputError("patience has a tolerance for a regression output alone: classes agree or they do not")
        else:
            agree = _same_class(record)
        counts = np.zeros(agree.shape)
        for place in range(1, len(counts)):
            counts[place] = (counts[place - 1] + 1) * agree[place]
        return counts


def _same_class(record: ExitRecord) -> npt.NDArray[np.bool_]:
    """[exit, example]: whether an exit predicts what the one before did; one with a NaN predicts nothing."""
    predictions = record.known_predictions()
    agree = predictions >= 0
    agree[0] = False
    agree[1:] &= predictions[1:] == predictions[:-1]
    return agree


def _differences(record: ExitRecord) -> npt.NDArray[np.float32]:
    """float32 [exit, example]: how far an exit's number is from that of the one before; NaN at the first."""
    values = record.logits[:, :, 0]
    apart = np.full_like(values, np.nan)
    with np.errstate(invalid="ignore", over="ignore"):
        apart[1:] = np.abs(values[1:] - values[:-1])
    return apart


def _lasting(differences: npt.NDArray[np.float32], patience: int) -> npt.NDArray[np.float32]:
    """[exit, example]: the largest of the last `patience` differences, NaN if one is or they are fewer.

    A tolerance above it is one within which `patience` exits in a row have agreed.
    """
    largest = differences.copy() if patience else np.full_like(differences, np.nan)
    for back in range(1, min(patience, len(largest))):
        largest[back:] = np.maximum(largest[back:], differences[:-back])
        largest[:back] = np.nan
    return largest
