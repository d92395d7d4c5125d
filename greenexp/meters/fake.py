"""An energy source with a script instead of a device: for tests, and to try out what a measured sweep looks like."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from greenexp.meters.energy import MeterError


class FakeSource:
    """Reads `readings_j` one after another; an exception among them is raised, and after the last it fails."""

    def __init__(
        self, readings_j: Iterable[float | MeterError], covers: str = "gpu", safe_gap_s: float = math.inf
    ) -> None:
        self.covers = covers
        self.safe_gap_s = safe_gap_s
        self.closed = False
        self._readings: Iterator[float | MeterError] = iter(readings_j)

    def read_j(self) -> float:
        """The next reading."""
        reading = next(self._readings, MeterError("the script has ended"))
        if isinstance(reading, MeterError):
            raise reading
        return reading

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True
