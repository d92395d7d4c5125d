"""Energy above idle: told apart from idle power, or not measured and why."""

from __future__ import annotations

from typing import Any

import pytest
from bench_stand_ins import MadeClock, of_lengths
from told import tells

from greenexp.inference.bench import measure_energy, requests_of
from greenexp.meters.measure import MeterReading
from greenexp.records.epoch import Costs


class MadeMeter:
    """Draws `idle_w` while idle, and 30 W while somebody answers; watts of the second idle window can differ."""

    def __init__(self, clock: MadeClock, idle_w: tuple[float | None, float | None], reasons: Any = ()) -> None:
        self._clock, self._idle_w, self._reasons = clock, iter(idle_w), dict(reasons)
        self._began = 0.0
        self.kept_up = 0
        self.is_idle = False

    def start(self) -> None:
        self._began, self.is_idle = self._clock.now_s, False

    def keep_up(self) -> None:
        self.kept_up += 1

    def idle(self, seconds: float) -> None:
        self._clock.now_s += seconds
        self.is_idle = True

    def read(self) -> MeterReading:
        seconds = self._clock.now_s - self._began
        watts = next(self._idle_w) if self.is_idle else 30.0
        return MeterReading(Costs(seconds, energy_j=None if watts is None else watts * seconds), self._reasons)


def measured(idle_w: tuple[float | None, float | None], reasons: Any = ()) -> tuple[Any, MadeMeter]:
    clock = MadeClock()
    meter = MadeMeter(clock, idle_w, reasons)
    both = [clock.contestant("slow", lambda request: 2.0), clock.contestant("fast", lambda request: 0.5)]
    requests = requests_of(of_lengths(3, 4, 5, 6), 2)
    return measure_energy(both, requests, meter, clock.stopwatch(), meter.idle, window_s=3.0), meter


def test_joules_per_example_above_idle() -> None:
    found, meter = measured((10.0, 10.0))
    # 20 W above idle; slow: 1 s per example, fast: 0.25 s
    assert dict(found.joules) == pytest.approx({"slow": 20.0, "fast": 5.0})
    assert found.idle_w == 10.0
    assert found.why_not == ""
    assert meter.kept_up > 0


def test_idle_power_that_moved_measures_nothing() -> None:
    found, _ = measured((10.0, 12.0))
    assert (found.joules, found.idle_w) == ({}, None)
    assert tells(found.why_not, "10.0 W … 12.0 W")


@pytest.mark.parametrize("idle_w", [(None, 10.0), (10.0, None)])
def test_without_a_counter_there_is_a_reason_and_no_zero(idle_w: tuple[float | None, float | None]) -> None:
    found, meter = measured(idle_w, {"energy_j": "no RAPL package domain"})
    assert found.joules == {}
    assert found.why_not == "no RAPL package domain"
    assert (meter.kept_up == 0) == (idle_w[0] is None)  # nobody waits for what is known at once


def test_a_part_that_is_missing_is_told() -> None:
    found, _ = measured((10.0, 10.0), {"energy_j.gpu": "no driver"})
    assert found.joules
    assert found.why_not == "gpu: no driver"
