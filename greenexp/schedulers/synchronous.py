"""Successive halving in step: a rung is judged when all units of the bracket have reached it (sha, hyperband)."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.errors import InputError
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import NextRung, UnitVerdict
from greenexp.schedulers.brackets import Bracket, Rung
from greenexp.schedulers.rungs import places


class SynchronousBracket:
    """One bracket: who is still in it, in plan order, which rung comes next, and who has reached it.

    units: those that are in it at the start; size: how many it takes in all, by default these
    keep: how many go on at a rung, instead of one in `reduction_factor`
    """

    def __init__(
        self,
        number: int,
        units: Sequence[str],
        rungs: Sequence[Epochs],
        reduction_factor: float,
        *,
        size: int | None = None,
        keep: int | None = None,
    ) -> None:
        self.number = number
        self.size = len(units) if size is None else size
        self.rungs = tuple(rungs)
        self._reduction_factor = reduction_factor
        self._keep = keep
        self._members = dict.fromkeys(units)  # a set in plan order
        self._level = 0
        self._arrived: dict[str, float | None] = {}

    @property
    def full(self) -> bool:
        """Whether it takes no further unit."""
        return self._level > 0 or len(self._members) >= self.size

    def enter(self, unit: str) -> None:
        """One more unit of a bracket that is not full."""
        self._members[unit] = None

    def close(self) -> list[UnitVerdict]:
        """Take no further unit; the verdicts on those in it, if all of them have been waiting for more."""
        if self.full:
            return []
        self.size = len(self._members)
        return self._judge() if self._complete else []

    def next_rung(self, unit: str) -> NextRung | None:
        """The rung the bracket stands at, for a unit that is still in it."""
        without_value = unit in self._arrived and self._arrived[unit] is None
        if self._level == len(self.rungs) or unit not in self._members or without_value:
            return None
        return NextRung(self.rungs[self._level], self.number)

    def arrive(self, unit: str, value: float | None, reason: str) -> list[UnitVerdict]:
        """Record `unit` at the current rung; the last one to arrive brings the verdicts on all that waited."""
        self._arrived[unit] = value
        verdicts = []
        if value is None:
            verdicts.append(UnitVerdict(unit, False, self.rungs[self._level], self.number, None, None, reason))
        if self._complete:
            verdicts += self._judge()
        return verdicts

    @property
    def _complete(self) -> bool:
        """Whether all that ever come to the current rung have come."""
        return self.full and self._level < len(self.rungs) and 0 < len(self._members) == len(self._arrived)

    def _going_on(self, entered: int) -> int:
        """How many of those that entered a rung go on."""
        if self._keep is not None:
            return min(self._keep, entered)
        return places(entered, self._reduction_factor)

    def _judge(self) -> list[UnitVerdict]:
        """The best floor(n / eta) go on, n = all that entered the rung; equal values: the earlier in the plan."""
        entered, rung = len(self._members), self.rungs[self._level]
        values = [(value, unit) for unit in self._members if (value := self._arrived[unit]) is not None]
        ranked = sorted(values, key=lambda pair: -pair[0])  # stable, so ties keep plan order
        passing = min(self._going_on(entered), len(ranked))
        cutoff = ranked[passing - 1][0] if ranked else None
        verdicts = {
            unit: UnitVerdict(
                unit, rank <= passing, rung, self.number, value, cutoff, f"rank {rank} of {entered}, {passing} go on"
            )
            for rank, (value, unit) in enumerate(ranked, start=1)
        }
        in_plan_order = [verdicts[unit] for _, unit in values]
        self._members = dict.fromkeys(verdict.unit for verdict in in_plan_order if verdict.go_on)
        self._arrived = {}
        self._level += 1
        return in_plan_order

    def plan(self, max_epochs: int) -> Bracket:
        """The counts at every rung if no unit fails."""
        rungs, entering = [], self.size
        for epoch in self.rungs:
            going_on = self._going_on(entering)
            rungs.append(Rung(epoch, entering, going_on))
            entering = going_on
        return Bracket(self.number, self.size, tuple(rungs), max_epochs)


class SynchronousRun:
    """Several independent synchronous brackets, filled one after the other in the order in which units enter.

    brackets: (units that are there at the start, bracket), in the order in which they are filled
    """

    pauses = True

    def __init__(
        self, name: str, brackets: Sequence[tuple[Sequence[str], SynchronousBracket]], max_epochs: int
    ) -> None:
        self._name = name
        self._brackets = tuple(bracket for _, bracket in brackets)
        self._bracket_of = {unit: bracket for units, bracket in brackets for unit in units}
        self._max_epochs = max_epochs

    def enter(self, unit: str) -> None:
        """Put `unit` into the first bracket that is not full. InputError if all are."""
        bracket = next((bracket for bracket in self._brackets if not bracket.full), None)
        if bracket is None:
            raise InputError(
                f"{unit} cannot join a sweep under scheduler {self._name}: its brackets are full; begin a new sweep "
                "with all configurations, or with a scheduler under which no configuration waits for all others"
            )
        bracket.enter(unit)
        self._bracket_of[unit] = bracket

    def close(self) -> tuple[UnitVerdict, ...]:
        """The verdicts in the brackets that have waited for units that do not come."""
        return tuple(verdict for bracket in self._brackets for verdict in bracket.close())

    def next_rung(self, unit: str) -> NextRung | None:
        """The next rung of the unit's bracket."""
        return self._bracket_of[unit].next_rung(unit)

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """The verdicts in the unit's bracket."""
        return tuple(self._bracket_of[unit].arrive(unit, value, reason))

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """All brackets, exact once they are full."""
        return tuple(bracket.plan(self._max_epochs) for bracket in self._brackets if bracket.size)
