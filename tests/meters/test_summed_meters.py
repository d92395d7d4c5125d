"""What several processes of a trial used: sums, the time of the first, and nothing where one did not measure."""

from __future__ import annotations

from typing import Any

import pytest

from greenexp.meters.measure import MeterReading, Meters
from greenexp.meters.summed import SILENT, SummedMeters
from greenexp.records.energy import EnergyMethod
from greenexp.records.epoch import Costs

FIRST = MeterReading(
    Costs(10.0, cpu_s=8.0, gpu_s=5.0, energy_j=100.0, carbon_g=2.0, money=0.5, peak_memory_b=7e8),
    {"energy_j.cpu_package": "no counter"},
    EnergyMethod.MEASURED_SHARED_UTILISATION,
)
SECOND = MeterReading(
    Costs(9.0, cpu_s=6.0, gpu_s=4.5, energy_j=50.0, carbon_g=1.0, money=0.25, peak_memory_b=9e8),
    energy_method=EnergyMethod.MEASURED_SHARED_EQUAL,
)
BLIND = MeterReading(Costs(9.0, cpu_s=6.0, gpu_s=4.5, peak_memory_b=1e8), {"energy_j": "no counter there"})


class Told(Meters):
    """Meters that read what a test says."""

    def __init__(self, reading: MeterReading) -> None:
        self.gpus, self.reading, self.closed = 0.5, reading, 0

    def read(self) -> MeterReading:
        return self.reading

    def close(self) -> None:
        self.closed += 1


def summed(*others: MeterReading) -> MeterReading:
    return SummedMeters(Told(FIRST), lambda: others).read()


def test_costs_are_sums_and_the_time_is_that_of_the_first() -> None:
    found = summed(SECOND, SECOND)
    assert found.costs == Costs(
        10.0, cpu_s=20.0, gpu_s=14.0, energy_j=200.0, carbon_g=4.0, money=1.0, peak_memory_b=9e8
    )
    assert found.energy_method == EnergyMethod.MEASURED_SHARED_EQUAL
    assert dict(found.not_measured) == {"energy_j.cpu_package": "no counter"}


@pytest.mark.parametrize(("other", "reason"), [(BLIND, "energy_j"), (SILENT, "cpu_s")])
def test_what_one_did_not_measure_is_not_measured(other: MeterReading, reason: str) -> None:
    found = summed(SECOND, other)
    assert found.costs.energy_j is None
    assert found.costs.carbon_g is None
    assert found.energy_method == EnergyMethod.UNAVAILABLE
    assert found.not_measured[reason] == other.not_measured[reason]
    assert found.costs.wall_s == 10.0
    assert (found.costs.cpu_s is None) == (other is SILENT)


def test_they_are_those_of_the_first_process_for_the_rest() -> None:
    own: Any = Told(FIRST)
    meters = SummedMeters(own, tuple)
    assert meters.gpus == 0.5
    assert meters.read() == FIRST
    meters.close()
    assert own.closed == 1
