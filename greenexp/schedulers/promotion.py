"""Promotion: units pause at a rung, and those among the best there so far go on (asha_promotion, pasha)."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence

from greenexp.records.progress import Epochs
from greenexp.schedulers.base import NextRung, UnitVerdict
from greenexp.schedulers.rungs import ROUNDING


class PromotionRung:
    """One rung: what has come to it, ranked, and who has gone on from it.

    Greater values rank first, of equal ones the unit that is earlier in the plan; a unit without a value is last.
    """

    def __init__(self, epoch: Epochs) -> None:
        self.epoch = epoch
        self.values: dict[str, float | None] = {}
        self.promoted: set[str] = set()
        self.following = 0
        """How many of those promoted come to the next rung."""
        self.final = False
        """Whether its verdicts have all fallen."""
        self._ranked: list[tuple[float, int, str]] = []

    def add(self, unit: str, place: int, value: float | None) -> None:
        """`unit`, at `place` of the plan, has come with `value`, or has lost the value that it came with."""
        if unit in self.values:
            self._ranked = [entry for entry in self._ranked if entry[2] != unit]
        self.values[unit] = value
        insort(self._ranked, (math.inf if value is None else -value, place, unit))

    def best(self, count: int) -> list[str]:
        """The best `count` units that have a value, the best first."""
        return [unit for value, _, unit in self._ranked[:count] if value < math.inf]

    def rank(self, unit: str) -> int:
        """From 1."""
        return next(rank for rank, entry in enumerate(self._ranked, start=1) if entry[2] == unit)

    def value_at(self, rank: int) -> float | None:
        """The value of that rank; None if there is none."""
        entry = self._ranked[rank - 1] if 1 <= rank <= len(self._ranked) else None
        return None if entry is None or math.isinf(entry[0]) else -entry[0]


class PromotionRun:
    """Rungs that promote the best floor(m / eta) of the m units seen there, as units come.

    units: those that are there at the start; closed: whether no other will enter

    A rung is final once no further unit can come to it: the first when no unit will enter and all have come, a later
    one when the rung before it is final and everything promoted there has come. Then whoever was not promoted is
    stopped. A rung that is final and has promoted nobody promotes its best unit.
    """

    pauses = True

    def __init__(self, rungs: Sequence[Epochs], reduction_factor: float, units: Sequence[str], *, closed: bool) -> None:
        self._rungs = [PromotionRung(epoch) for epoch in rungs]
        self._reduction_factor = reduction_factor
        self._closed = closed
        self._place = {unit: place for place, unit in enumerate(units)}
        self._level = dict.fromkeys(units, 0)  # the rung that a unit waits at or comes to next; their number if none
        self._stopped: set[str] = set()

    @property
    def size(self) -> int:
        """How many units have entered."""
        return len(self._place)

    def enter(self, unit: str) -> None:
        """A unit more, after which the first rung is not final."""
        self._closed = False
        self._place[unit] = len(self._place)
        self._level[unit] = 0
        for rung in self._rungs:
            rung.final = False

    def close(self) -> tuple[UnitVerdict, ...]:
        """The verdicts at the rungs that are final now that no unit will enter."""
        self._closed = True
        return tuple(self._finish_rungs())

    def next_rung(self, unit: str) -> NextRung | None:
        """The rung that the unit waits at, or comes to next."""
        level = self._level[unit]
        return None if unit in self._stopped or level >= len(self._rungs) else NextRung(self._rungs[level].epoch, 0)

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """Who goes on because `unit` has come, and who is stopped at rungs that are final now."""
        rung = self._rungs[self._level[unit]]
        rung.add(unit, self._place[unit], value)
        verdicts = []
        if value is None:
            self._stopped.add(unit)
            verdicts.append(UnitVerdict(unit, False, rung.epoch, 0, None, None, reason))
        verdicts += self._promote(self._rungs.index(rung))
        return (*verdicts, *self._finish_rungs())

    def _places(self, level: int) -> int:
        """How many of those seen at the rung may go on by now: floor(m / eta), which is none of fewer than eta."""
        return math.floor(len(self._rungs[level].values) / self._reduction_factor + ROUNDING)

    def _promote(self, level: int) -> list[UnitVerdict]:
        """Promote those of the best that have not been."""
        rung, count = self._rungs[level], self._places(level)
        cutoff = rung.value_at(count)
        return [
            self._go_on(unit, level, cutoff, f"among the best {count} of {len(rung.values)} so far")
            for unit in rung.best(count)
            if unit not in rung.promoted and unit not in self._stopped
        ]

    def _go_on(self, unit: str, level: int, cutoff: float | None, reason: str) -> UnitVerdict:
        rung = self._rungs[level]
        rung.promoted.add(unit)
        rung.following += 1
        self._level[unit] = level + 1
        return UnitVerdict(unit, True, rung.epoch, 0, rung.values[unit], cutoff, reason)

    def _finish_rungs(self) -> list[UnitVerdict]:
        """The verdicts at all rungs that have become final."""
        verdicts: list[UnitVerdict] = []
        awaited = self.size if self._closed else math.inf
        for level, rung in enumerate(self._rungs):
            if len(rung.values) < awaited:
                break
            if not rung.final and rung.values:
                verdicts += self._last_verdicts(level)
                rung.final = True
            awaited = rung.following
        return verdicts

    def _last_to_go_on(self, level: int) -> list[str]:
        """Who goes on from a rung because it is final: its best unit, if nobody has."""
        rung = self._rungs[level]
        return [] if rung.promoted else rung.best(1)

    def _last_verdicts(self, level: int) -> list[UnitVerdict]:
        """Stop whoever waits at a final rung."""
        rung, seen = self._rungs[level], len(self._rungs[level].values)
        going_on = self._last_to_go_on(level)
        verdicts = [self._go_on(unit, level, rung.values[unit], f"the best of all {seen}") for unit in going_on]
        cutoff = rung.value_at(max(self._places(level), 1))
        waiting = [unit for unit in rung.values if unit not in rung.promoted and unit not in self._stopped]
        for unit in sorted(waiting, key=lambda unit: self._place[unit]):
            self._stopped.add(unit)
            why = f"rank {rung.rank(unit)} of all {seen}, {len(rung.promoted)} went on"
            verdicts.append(UnitVerdict(unit, False, rung.epoch, 0, rung.values[unit], cutoff, why))
        return verdicts
