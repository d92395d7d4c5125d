"""No scheduler: every trial trains to its last epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from greenexp.schedulers.base import NextRung, UnitVerdict
from greenexp.schedulers.brackets import Bracket


@dataclass(frozen=True, slots=True)
class Fifo:
    """First in, first out: nothing is compared and nothing is stopped, not even the seeds of a failed trial.

    The only scheduler under which all trials have comparable final scores, so the one for expected validation
    performance over trials and for estimating the noise between seeds.
    """

    title: ClassVar[str] = "Full training"
    stops: ClassVar[bool] = False
    equal_epochs: ClassVar[bool] = False
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = False

    per_trial: ClassVar[bool] = True
    """No trial depends on another, so later seeds of a known configuration may enter too."""

    def start(self, units: Sequence[str], *, max_epochs: int, later: float = 0) -> FifoRun:  # noqa: ARG002
        """A running scheduler that never says anything."""
        return FifoRun(len(units), max_epochs)


class FifoRun:
    """Counts the units, for the plan."""

    pauses = False

    def __init__(self, units: int, max_epochs: int) -> None:
        self._units = units
        self._max_epochs = max_epochs

    def enter(self, unit: str) -> None:  # noqa: ARG002 - the protocol's argument
        """One more unit."""
        self._units += 1

    def next_rung(self, unit: str) -> NextRung | None:  # noqa: ARG002 - the protocol's argument
        """No unit is ever judged."""
        return None

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:  # noqa: ARG002
        """No verdict falls."""
        return ()

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """One bracket without rungs."""
        return (Bracket(0, self._units, (), self._max_epochs),)
