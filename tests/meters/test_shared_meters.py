"""What trials that share a process are given of its costs: equal parts, and all of it."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.meters.measure import MeterReading
from greenexp.meters.shared import SharedMeters
from greenexp.records.energy import EnergyMethod
from greenexp.records.epoch import Costs


class Told:
    """Meters of a process whose readings are known."""

    gpus = ()

    def __init__(self, *wall_s: float) -> None:
        self._told = [
            MeterReading(Costs(s, energy_j=2 * s), energy_method=EnergyMethod.MEASURED_EXCLUSIVE) for s in wall_s
        ]

    def read(self) -> MeterReading:
        """The next of them."""
        return self._told.pop(0)


def test_each_gets_an_equal_part_of_what_was_used_while_it_was_there() -> None:
    process: Any = Told(6.0, 9.0, 4.0)
    shared = SharedMeters(process)
    first, second = shared.member(), shared.member()  # 6 s were the first one's alone
    third = shared.member()  # 9 s of the first and the second
    shared.leave(second)
    shared.settle()  # 4 s of the first and the third
    readings = [one.read() for one in (first, second, third)]
    assert [reading.costs.wall_s for reading in readings] == pytest.approx([6.0 + 4.5 + 2.0, 4.5, 2.0])
    assert sum(reading.costs.energy_j or 0 for reading in readings) == pytest.approx(2 * 19.0)
    assert {reading.energy_method for reading in readings} == {EnergyMethod.MEASURED_SHARED_EQUAL}
