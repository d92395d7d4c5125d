"""Energy over windows: sums, gaps, failures. Counters are fakes."""

from __future__ import annotations

import pytest

from greenexp.meters.energy import EnergyWindows, MeterError
from greenexp.meters.fake import FakeSource


def test_windows_follow_one_another_without_loss() -> None:
    windows = EnergyWindows([FakeSource([10, 25, 25, 31])], {})
    windows.start(0.0)
    assert windows.read(1.0).energy_j == 15
    windows.start(1.0)
    assert windows.read(2.0).energy_j == 6


def test_sources_add_up() -> None:
    windows = EnergyWindows([FakeSource([0, 5]), FakeSource([100, 107], covers="cpu_package")], {})
    windows.start(0.0)
    assert windows.read(1.0).energy_j == 12


def test_a_missing_part_is_named_and_the_rest_still_counts() -> None:
    windows = EnergyWindows([FakeSource([0, 5])], {"cpu_package": "readable by root only"})
    windows.start(0.0)
    reading = windows.read(1.0)
    assert reading.energy_j == 5
    assert reading.reasons == {"energy_j.cpu_package": "readable by root only"}


def test_nothing_to_read_is_none_with_its_reason_not_zero() -> None:
    windows = EnergyWindows([], {"gpu": "no NVIDIA driver"})
    windows.start(0.0)
    reading = windows.read(1.0)
    assert reading.energy_j is None
    assert reading.reasons == {"energy_j": "gpu: no NVIDIA driver"}


@pytest.mark.parametrize("script", [[MeterError("gone")], [1.0, MeterError("gone")]])
def test_a_source_that_fails_leaves_no_half_sum(script: list[float | MeterError]) -> None:
    windows = EnergyWindows([FakeSource(script), FakeSource([0, 5], covers="cpu_package")], {})
    windows.start(0.0)
    reading = windows.read(1.0)
    assert reading.energy_j is None
    assert reading.reasons == {"energy_j": "gpu: gone"}


def test_a_source_that_comes_back_counts_in_the_next_window() -> None:
    windows = EnergyWindows([FakeSource([1.0, MeterError("gone"), 7.0, 9.0])], {})
    windows.start(0.0)
    assert windows.read(1.0).energy_j is None
    windows.start(1.0)
    assert windows.read(2.0).energy_j == 2


def test_a_counter_that_goes_backwards_is_not_believed() -> None:
    windows = EnergyWindows([FakeSource([10, 4])], {})
    windows.start(0.0)
    reading = windows.read(1.0)
    assert reading.energy_j is None
    assert "backwards" in reading.reasons["energy_j"]


def test_a_gap_in_which_the_counter_may_wrap_twice_is_not_believed() -> None:
    windows = EnergyWindows([FakeSource([0, 5], safe_gap_s=60)], {})
    windows.start(0.0)
    reading = windows.read(61.0)
    assert reading.energy_j is None
    assert "wrapped" in reading.reasons["energy_j"]


def test_keeping_up_bridges_the_gap_and_reads_no_more_than_needed() -> None:
    windows = EnergyWindows([FakeSource([0, 5, 11], safe_gap_s=60)], {})
    windows.start(0.0)
    for second in range(61):
        windows.keep_up(float(second))  # reads once, after 31 s: the script has no more
    assert windows.read(61.0).energy_j == 11


def test_closing_closes_all_and_twice() -> None:
    sources = [FakeSource([0]), FakeSource([0])]
    windows = EnergyWindows(sources, {})
    windows.close()
    windows.close()
    assert all(source.closed for source in sources)
