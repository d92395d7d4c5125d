"""Replay of `greenexp.exits.policies.oracle`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.replay.family import Staircase
from greenexp.replay.fields import check_fields
from greenexp.replay.record import ExitRecord, Ints


@dataclass(frozen=True)
class OracleReplay:
    """An example leaves at the first exit that is right: a bound on what policies could do, none that can be used.

    Its one operating point has no threshold (NaN). Regression is refused.

    never_right: where an example leaves that no exit gets right, `last` or `first`
    """

    never_right: str = "last"

    parameter: ClassVar[str] = ""
    evaluates_all: ClassVar[bool] = True
    needs_labels: ClassVar[bool] = True
    remark: ClassVar[str] = (
        "oracle: leaves at the first exit that is right, so it needs the labels: a bound, not a policy"
    )

    def __post_init__(self) -> None:
        check_fields(self, "oracle")

    def taken(self, record: ExitRecord) -> Ints:
        """See `Family.taken`."""
        if record.is_regression:
            raise InputError("oracle needs classes: a number is not right or wrong")
        right = record.answers() == record.labels
        first: Ints = right.argmax(axis=0)
        if self.never_right == "last":
            first[~right.any(axis=0)] = len(right) - 1
        return first

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """See `Family.answers`: what the exits say."""
        return record.answers()

    def staircase(self, record: ExitRecord) -> Staircase:
        """See `Family.staircase`: one point."""
        none = np.zeros(0, dtype=np.int64)
        return Staircase(np.array([np.nan]), self.taken(record), none, none, none, none)
