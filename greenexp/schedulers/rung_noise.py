"""The noise between seeds at a rung: how much two configurations' means differ by their seeds alone."""

from __future__ import annotations

import math
from collections.abc import Sequence


class RungNoise:
    """Values of seeds at every rung, pooled over configurations.

    With x_ci the value of seed i of configuration c at the rung, n_c >= 2 its seeds there, and m_c their mean:

        s^2 = sum over c and i of (x_ci - m_c)^2 / sum over c of (n_c - 1)
        standard error of the difference of two means over n seeds each = s sqrt(2 / n)

    s is the pooled within-configuration standard deviation. It presumes that seeds scatter alike in all configurations
    and independently. Where all have the same seeds, the part of a seed's effect that all configurations share cancels
    in a difference but stays in s, so the error is then too large rather than too small.
    """

    def __init__(self) -> None:
        self._squares: dict[tuple[int, float], list[float]] = {}
        self._freedom: dict[tuple[int, float], int] = {}

    def add(self, bracket: int, rung: float, values: Sequence[float]) -> None:
        """One configuration has come to a rung; values: finite, of its seeds there."""
        if len(values) < 2:
            return
        mean = math.fsum(values) / len(values)
        place = (bracket, rung)
        self._squares.setdefault(place, []).append(math.fsum((value - mean) ** 2 for value in values))
        self._freedom[place] = self._freedom.get(place, 0) + len(values) - 1

    def of_difference(self, bracket: int, rung: float, seeds: int) -> float | None:
        """The standard error at a rung, in the metric's unit; None while no configuration had two seeds there."""
        place = (bracket, rung)
        if place not in self._freedom:
            return None
        # Exactly summed, so that the order of arrival leaves no trace.
        return math.sqrt(2 * math.fsum(self._squares[place]) / self._freedom[place] / seeds)
