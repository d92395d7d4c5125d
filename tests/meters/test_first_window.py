"""The first window of a trial, over a counter that has not moved yet when it ends."""

from __future__ import annotations

import pytest

from greenexp.meters import sampled_energy
from greenexp.meters.sampled_energy import SampledEnergy
from greenexp.meters.sampling import Entry, TakenEnergy, TrialShares
from greenexp.records.energy import EnergyMethod


class SlowCounter:
    """The way to a sampler whose counter moves with the look numbered `moves`, once."""

    def __init__(self, moves: float) -> None:
        self.looks, self.moves = 0, moves

    def enter(self, shares: TrialShares) -> Entry:
        return Entry(1, {})

    def take(self, number: int) -> TakenEnergy:
        self.looks += 1
        method = EnergyMethod.MEASURED_EXCLUSIVE if self.looks == self.moves else None
        return TakenEnergy({"cpu": 5_000_000 if self.looks >= self.moves else 0}, method, "")

    def leave(self, number: int) -> None:
        """Nothing is left."""


@pytest.mark.parametrize(("moves", "found_j"), [(1, 5.0), (4, 5.0), (float("inf"), None)])
def test_a_counter_is_waited_for_once(monkeypatch: pytest.MonkeyPatch, moves: float, found_j: float | None) -> None:
    monkeypatch.setattr(sampled_energy, "_LOOK_EVERY_S", 0.0)
    counter = SlowCounter(moves)
    energy = SampledEnergy(counter, TrialShares("t", 1))
    energy.start(0.0)
    assert energy.read(0.0).energy_j == found_j
    looks = counter.looks
    energy.start(0.0)
    assert energy.read(0.0).energy_j == (None if found_j is None else 0.0)
    assert counter.looks == looks + 1, "waited for again"
