"""The meters of several trials that one process trains together: each is given an equal part."""

from __future__ import annotations

from greenexp.meters.measure import MeterReading, Meters
from greenexp.records.energy import EnergyMethod, weakest
from greenexp.records.epoch import Costs


class SharedMeters:
    """One trial's worth of meters for several trials.

    What was used between two calls of `settle` is divided equally among the members that are open, whichever of them
    used it: nothing tells their work apart. Their largest memory is that of the process.

    meters: of the process; closed with `close`, as a member may come where the last one has left
    """

    def __init__(self, meters: Meters) -> None:
        self.meters = meters
        self._members: list[MemberMeters] = []

    def member(self) -> MemberMeters:
        """The meters of one more trial; what was used before it came is the others'."""
        if self._members:
            self.settle()
        made = MemberMeters(self)
        self._members.append(made)
        return made

    def settle(self) -> None:
        """Divide what was used since the last time."""
        reading = self.meters.read()
        for member in self._members:
            member.add(reading, len(self._members))

    def leave(self, member: MemberMeters) -> None:
        """A member is closed. Twice is allowed."""
        if member in self._members:
            self._members.remove(member)

    def close(self) -> None:
        """Give the counters back; twice is allowed."""
        self.meters.close()


class MemberMeters(Meters):
    """A trial's part of `SharedMeters`; a reading holds what was settled since the last one."""

    def __init__(self, shared: SharedMeters) -> None:  # it has no counters of its own
        self._shared = shared
        self.gpus = shared.meters.gpus
        self._pot: MeterReading | None = None

    def add(self, reading: MeterReading, among: int) -> None:
        """An equal part of `reading`, which is of `among` members together."""
        costs, method = reading.costs.shared(among), reading.energy_method
        if among > 1:
            method = weakest((method, EnergyMethod.MEASURED_SHARED_EQUAL)) or method
        if self._pot is None:
            self._pot = MeterReading(costs, reading.not_measured, method)
            return
        reasons = {**self._pot.not_measured, **reading.not_measured}
        both = weakest((self._pot.energy_method, method)) or method
        self._pot = MeterReading(self._pot.costs.plus(costs), reasons, both)

    def start(self) -> None:
        """Forget what was settled."""
        self._pot = None

    def keep_up(self) -> None:
        """See `Meters.keep_up`."""
        self._shared.meters.keep_up()

    def read(self) -> MeterReading:
        """What was settled since the last reading."""
        if self._pot is None:
            self._shared.settle()
        found, self._pot = self._pot, None
        return MeterReading(Costs(0.0)) if found is None else found

    def close(self) -> None:
        """Take no further part."""
        self._shared.leave(self)
