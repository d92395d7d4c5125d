"""What a benchmark is doing, a line per step, and how long the rest of it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from greenexp.units import format_duration

LONG_REPEAT_S = 5.0
"""Repeats that take at least this long are told one by one; of shorter ones only the first."""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Tells the steps of the contest at one batch size.

    tell: takes a line; about: what is timed, in front of every line; repeats: at this batch size; later: in all that
    come after it
    """

    tell: Callable[[str], None]
    about: str
    repeats: int
    later: int = 0

    def step(self, text: str) -> None:
        """A step begins."""
        self.tell(f"{self.about}: {text}")

    def repeat(self, number: int, seconds: float) -> None:
        """Repeat `number` (from 1) is over and took `seconds`.

        The estimate takes later batch sizes to be as fast as this one; they answer the same examples.
        """
        if number > 1 and seconds < LONG_REPEAT_S:
            return
        left = (self.repeats - number + self.later) * seconds
        rest = f"; the repeats that follow take about {format_duration(left)}" if left else ""
        self.step(f"repeat {number} of {self.repeats} took {format_duration(seconds)}{rest}")
