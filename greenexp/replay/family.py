"""What a family of exit policies is in replay, and the families there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from greenexp.registry import Registry
from greenexp.replay.record import ExitRecord, Ints


@dataclass(frozen=True, eq=False)
class Staircase:
    """All operating points of a family at once: where everybody leaves at the first one, and who moves at each next.

    Exits are places in the record, from 0. One event per example and change of place; a point may have none:
    thresholds: float64 [point], in the order of the points; at each, `taken` gives the same exits
    start: int64 [example], the exits at the first point
    point, example, before, after: int64 [event], ascending in `point`: the event's point (from 1), who, from and to
    """

    thresholds: npt.NDArray[np.float64]
    start: Ints
    point: Ints
    example: Ints
    before: Ints
    after: Ints


class Family(Protocol):
    """The replay form of an exit policy: a frozen dataclass with the fields of its stream form.

    parameter: name of the field that is the threshold of an operating point; empty if there is none, and NaN then
        stands in its place
    evaluates_all: whether every trained exit up to the one taken is evaluated, so that its FLOPs count

    A family may have `rule`, when an example leaves, in one sentence; `needs_labels`, True if it cannot be used but is
    a bound on what others could do; and `setting(threshold, options)`, an operating point in words, which takes out of
    `options` (name -> text, as in a label) what it has put into words.

    A family whose record decides which field that is also has `parameters`, those it may be in the order in which a
    threshold given without a name is taken, and `swept(record)`, the one a staircase over this record is over.
    One that cannot be deployed, because it decides by the labels, has `needs_labels = True`; `remark` is one sentence
    that a reader of its numbers must know.
    """

    parameter: ClassVar[str]
    evaluates_all: ClassVar[bool]

    def taken(self, record: ExitRecord) -> Ints:
        """Where each example leaves at this policy's threshold: places in the record, from 0."""

    def staircase(self, record: ExitRecord) -> Staircase:
        """All operating points over thresholds; this policy's own threshold does not matter."""

    def answers(self, record: ExitRecord) -> npt.NDArray[Any]:
        """What each example answers if it leaves at each exit, [exit, example]: classes (int64), or values (float64).

        Must not depend on the threshold. For most families `record.answers()`: what the exits say themselves.
        """


FAMILIES: Registry[type[Family]] = Registry(
    "exit policy",
    {
        "entropy": "greenexp.replay.entropy:EntropyReplay",
        "max_probability": "greenexp.replay.max_probability:MaxProbabilityReplay",
        "patience": "greenexp.replay.patience:PatienceReplay",
        "voting": "greenexp.replay.voting:VotingReplay",
        "learned": "greenexp.replay.learned:LearnedReplay",
        "static": "greenexp.replay.static:StaticReplay",
        "oracle": "greenexp.replay.oracle:OracleReplay",
    },
    "greenexp.exit_replays",
)
DEFAULT_POLICY = "max_probability"
"""With its default threshold: what a model is served with where nobody names a policy."""
