"""The sampler of a node, over made-up counters: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import random

import pytest
from made_node import GPU, Node, sampler_of, shares

from greenexp.meters.sampled_energy import SampledEnergy
from greenexp.meters.sampling import NodeSampler, TrialShares
from greenexp.records.energy import EnergyMethod, MeteredDevice


def account(one: NodeSampler) -> MeteredDevice:
    (device,) = one.devices()
    return device


def remainder(device: MeteredDevice) -> int:
    parts = (device.trials_j, device.overhead_j, device.unattributed_j)
    return round(device.meter_j * 1e6) - sum(round(part * 1e6) for part in parts)


def test_two_trials_on_one_gpu_share_what_it_counted() -> None:
    node = Node()
    one = sampler_of(node)
    for _ in range(6):  # nobody there: idle power
        node.run(0.5)
        one.sample()
    trials = {name: SampledEnergy(one, shares(name, pid)) for name, pid in (("a", 1), ("b", 2))}
    for energy in trials.values():
        energy.start(0.0)
    node.load = {1: 0.6, 2: 0.2}
    for _ in range(20):
        node.run(0.5)
        one.sample()
    found = {name: energy.read(0.0) for name, energy in trials.items()}
    assert found["a"].energy_j == pytest.approx(10 * (20 + 60))
    assert found["b"].energy_j == pytest.approx(10 * (20 + 20))
    assert {reading.method for reading in found.values()} == {EnergyMethod.MEASURED_SHARED_UTILISATION}
    device = account(one)
    assert remainder(device) == 0
    assert (device.meter_j, device.trials_j) == pytest.approx((120 + 1200, 1200))
    assert (device.idle_w, device.idle_from) == (pytest.approx(40.0), "no trial")


def test_windows_follow_one_another_without_loss_while_the_counter_moves_in_steps() -> None:
    node = Node(step_s=0.3)
    one = sampler_of(node)
    energy = SampledEnergy(one, shares("a", 1, 1.0))
    energy.start(0.0)
    node.load = {1: 1.0}
    total = 0.0
    for _ in range(10):
        node.run(0.25)
        reading = energy.read(0.0)
        energy.start(0.0)
        total += reading.energy_j or 0.0
    assert total == pytest.approx(node.shown_j)


def test_a_worker_that_dies_takes_nothing_more() -> None:
    node = Node()
    one = sampler_of(node)
    one.enter(shares("a", 1, 1.0))
    node.load = {1: 1.0}
    node.run(2.0)
    node.dead.add(1)
    node.load = {}
    one.sample()
    before = account(one).trials_j
    node.run(5.0)
    one.sample()
    node.run(5.0)
    device = account(one)
    assert device.trials_j == before == pytest.approx(2 * 140)
    assert device.overhead_j + device.unattributed_j == pytest.approx(400)


def test_a_process_that_trains_one_trial_after_another_pays_each_its_own() -> None:
    node = Node(idle_w=0.0, step_s=10.0)  # both trials in one interval of the counter
    one = sampler_of(node)
    first = one.enter(shares("a", 1, 1.0))
    node.load = {1: 1.0}
    node.run(6.0)
    one.leave(first.number)
    one.enter(shares("b", 1, 1.0))
    node.load = {1: 0.5}
    node.run(4.0)
    assert one.take(2).energy_uj == {GPU: pytest.approx(800e6 * 2 / 8)}


def test_a_failed_reading_lengthens_the_interval() -> None:
    node = Node()
    one = sampler_of(node)
    energy = SampledEnergy(one, shares("a", 1, 1.0))
    energy.start(0.0)
    node.load = {1: 1.0}
    node.run(1.0)
    node.failing = True
    one.sample()
    node.run(1.0)
    node.failing = False
    assert energy.read(0.0).energy_j == pytest.approx(280)
    assert account(one).gaps == 1


@pytest.mark.parametrize("fault", ["backwards", "too long"])
def test_a_count_that_is_not_certain_is_no_count(fault: str) -> None:
    node = Node()
    one = sampler_of(node, safe_gap_s=60.0)
    energy = SampledEnergy(one, shares("a", 1, 1.0))
    energy.start(0.0)
    node.run(61.0 if fault == "too long" else 1.0)
    if fault == "backwards":
        node.shown_j = -5.0
    reading = energy.read(0.0)
    assert reading.energy_j is None
    assert "counter" in reading.reasons["energy_j"]
    energy.start(0.0)
    node.run(1.0)
    node.shown_j = 100.0 if fault == "backwards" else node.joules
    assert energy.read(0.0).energy_j == pytest.approx(105 if fault == "backwards" else 40)
    assert remainder(account(one)) == 0


def test_a_sampler_that_began_anew_costs_one_window() -> None:
    node = Node()
    access = Restarting(sampler_of(node))
    energy = SampledEnergy(access, shares("a", 1, 1.0))
    energy.start(0.0)
    node.run(1.0)
    access.sampler = sampler_of(node)
    assert energy.read(0.0).energy_j is None
    energy.start(0.0)
    node.run(1.0)
    assert energy.read(0.0).energy_j == pytest.approx(40)


class Restarting:
    """The way to a sampler that may be another one each time."""

    def __init__(self, one: NodeSampler) -> None:
        self.sampler = one

    def enter(self, given: TrialShares) -> object:
        return self.sampler.enter(given)

    def take(self, number: int) -> object:
        return self.sampler.take(number)

    def leave(self, number: int) -> None:
        self.sampler.leave(number)


def test_a_gpu_without_counter_leaves_no_energy() -> None:
    node = Node()
    one = sampler_of(node)
    entry = one.enter(TrialShares("a", 1, ("GPU-z",)))
    assert set(entry.missing) == {"gpu", "cpu_package"}
    assert one.take(entry.number).energy_uj == {}


@pytest.mark.parametrize("seed", range(12))
def test_a_random_life_of_a_node_is_accounted_for(seed: int) -> None:
    """Trials come, report, die and are killed, strangers use the device, readings fail, the sampler starts anew."""
    rng = random.Random(seed)
    node = Node(idle_w=rng.choice([0.0, 40.0]), step_s=rng.choice([0.0, 0.1, 0.7]))
    known = rng.random() < 0.8
    spans, one = [], sampler_of(node, known)
    began_j, pids, running, windows = node.shown_j, iter(range(1, 10**6)), {}, 0.0
    reported: dict[int, float] = {}
    for _ in range(400):
        node.failing = rng.random() < 0.05
        what = rng.choice(["enter", "read", "read", "leave", "die", "stranger", "sample", "anew"])
        if what == "enter" and len(running) < 3:
            pid = next(pids)
            running[pid] = SampledEnergy(one, shares(f"t{pid}", pid, rng.choice([1.0, 0.5, 0.25])))
            running[pid].start(0.0)
            node.load[pid] = rng.random()
        elif what == "read" and running:
            pid = rng.choice(list(running))
            reported[pid] = reported.get(pid, 0.0) + (running[pid].read(0.0).energy_j or 0.0)
            running[pid].start(0.0)
        elif what in {"leave", "die"} and running:
            pid = rng.choice(list(running))
            energy = running.pop(pid)
            node.load.pop(pid)
            if what == "leave":
                energy.close()
            else:
                node.dead.add(pid)
        elif what == "stranger":
            node.load[0] = rng.choice([0.0, 0.5])
        elif what == "anew" and rng.random() < 0.1:
            node.failing = False
            spans.append((account(one), node.shown_j - began_j, sum(reported.values()) - windows))
            one, began_j, windows, running = sampler_of(node, known), node.shown_j, sum(reported.values()), {}
            node.load = {0: node.load.get(0, 0.0)}
        else:
            one.sample()
        node.run(rng.choice([0.0, 0.01, 0.5, 2.0]))
    node.failing = False
    spans.append((account(one), node.shown_j - began_j, sum(reported.values()) - windows))
    for device, counted_j, reported_j in spans:
        assert remainder(device) == 0
        assert device.meter_j == pytest.approx(counted_j, abs=1e-5)
        assert reported_j <= device.trials_j + 1e-5
