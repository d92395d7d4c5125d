"""Dividing the energy of an interval: the parts are the whole, and each is whose it should be."""

from __future__ import annotations

import random

import pytest

from greenexp.meters.apportioning import Division, Holding, apportioned, divide
from greenexp.records.energy import EnergyMethod

J = 1_000_000


def whole(parts: Division) -> int:
    return sum(parts.trials_uj.values()) + parts.overhead_uj + parts.unattributed_uj


@pytest.mark.parametrize("seed", range(5))
def test_parts_add_up_to_the_microjoule(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(2000):
        holdings = [
            Holding(str(i), rng.choice([1.0, 0.5, 0.3]), 2 * rng.random(), rng.choice([None, 0.0, rng.random()]))
            for i in range(rng.randint(0, 5))
        ]
        energy = rng.choice([0, 1, 7, rng.randint(0, 10**12)])
        parts = divide(
            energy,
            rng.choice([0.0, 0.1, 2.0]),
            rng.choice([None, 0.0, 50.0, 1e6]),
            holdings,
            own_activity=rng.choice([0.0, 0.2]),
            other_activity=rng.choice([None, 0.0, 0.3]),
        )
        assert whole(parts) == energy
        assert min([*parts.trials_uj.values(), parts.overhead_uj, parts.unattributed_uj]) >= 0


def test_parts_are_within_one_of_their_share() -> None:
    rng = random.Random(3)
    for _ in range(500):
        weights = [rng.random() for _ in range(rng.randint(1, 9))]
        total = rng.randint(0, 10**6)
        for part, weight in zip(apportioned(total, weights), weights, strict=True):
            assert abs(part - total * weight / sum(weights)) <= 1


def test_a_trial_that_is_alone_gets_all_of_it() -> None:
    parts = divide(100 * J, 1.0, 60.0, [Holding("a", 1.0, 1.0, 0.4)], other_activity=0.001)
    assert parts == Division({"a": 100 * J}, 0, 0, EnergyMethod.MEASURED_EXCLUSIVE)


def test_idle_power_by_allocation_and_the_rest_by_use() -> None:
    parts = divide(100 * J, 1.0, 40.0, [Holding("a", 0.5, 1.0, 0.6), Holding("b", 0.25, 1.0, 0.2)], other_activity=0.0)
    assert parts.trials_uj == {"a": 20 * J + 45 * J, "b": 10 * J + 15 * J}
    assert (parts.overhead_uj, parts.unattributed_uj) == (10 * J, 0)  # a quarter of the device was nobody's
    assert parts.method is EnergyMethod.MEASURED_SHARED_UTILISATION


def test_strangers_and_the_sweeps_own_processes() -> None:
    parts = divide(90 * J, 1.0, 0.0, [Holding("a", 1.0, 1.0, 1.0)], own_activity=1.0, other_activity=1.0)
    assert parts == Division({"a": 30 * J}, 30 * J, 30 * J, EnergyMethod.MEASURED_SHARED_UTILISATION)


def test_where_nothing_says_who_used_it_time_decides() -> None:
    holdings = [Holding("a", 0.5, 1.0, None), Holding("b", 0.5, 0.5, 3.0)]
    parts = divide(90 * J, 1.0, 0.0, holdings, other_activity=0.0)
    assert parts.trials_uj == {"a": 60 * J, "b": 30 * J}
    assert parts.method is EnergyMethod.MEASURED_SHARED_EQUAL


def test_half_an_interval_pays_half_the_idle_power() -> None:
    parts = divide(40 * J, 1.0, 40.0, [Holding("a", 0.5, 0.5, 1.0)], other_activity=0.0)
    assert parts.trials_uj == {"a": 10 * J}
    assert parts.overhead_uj == 30 * J


def test_without_a_trial_idle_is_the_sweeps_and_more_is_somebodys() -> None:
    parts = divide(50 * J, 1.0, 40.0, [], other_activity=2.0)
    assert (parts.trials_uj, parts.overhead_uj, parts.unattributed_uj) == ({}, 40 * J, 10 * J)
    assert divide(50 * J, 1.0, None, []).unattributed_uj == 50 * J
    assert divide(50 * J, 1.0, None, [], other_activity=0.0).overhead_uj == 50 * J


def test_no_weight_is_an_error() -> None:
    with pytest.raises(ValueError, match="weight"):
        apportioned(5, [0.0, 0.0])
