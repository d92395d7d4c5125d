"""The way from a worker to its node's sampler, without Ray's processes."""

from __future__ import annotations

from typing import Any

import pytest
from ray.exceptions import RayActorError

from greenexp.meters.energy import MeterError
from greenexp.meters.sampled_energy import SampledEnergy
from greenexp.meters.sampling import Entry, TakenEnergy, TrialShares
from greenexp.records.energy import EnergyMethod
from greenexp.tuning import energy
from greenexp.tuning.energy import OwnSampler


class Remote:
    """A method of an actor: what it answers, or raises, in turn."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.calls = list(answers), 0

    def remote(self, *_: Any) -> Any:
        self.calls += 1
        return self.answers.pop(0) if self.answers else None


class Actor:
    """An actor's handle."""

    def __init__(self, **methods: Remote) -> None:
        self.sampler_of = Remote(None, None, None)
        self.leave = Remote()
        vars(self).update(methods)


@pytest.fixture(autouse=True)
def ray_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ray.get` gives what a call returned, or raises it."""

    def get(answer: Any, timeout: float) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    class Context:
        def get_node_id(self) -> str:
            return "here"

    monkeypatch.setattr(energy.ray, "get", get)
    monkeypatch.setattr(energy.ray, "get_runtime_context", Context)


def test_a_sampler_that_dies_costs_a_window_and_no_trial() -> None:
    taken = TakenEnergy({"cpu": 5_000_000}, EnergyMethod.MEASURED_EXCLUSIVE, "")
    actor = Actor(enter=Remote(Entry(1, {}), Entry(1, {})), take=Remote(RayActorError(), taken))
    trial = SampledEnergy(OwnSampler(actor), TrialShares("t", 1))
    trial.start(0.0)
    lost = trial.read(1.0)
    assert lost.energy_j is None
    assert "does not answer" in lost.reasons["energy_j"]
    trial.start(1.0)
    assert trial.read(2.0).energy_j == pytest.approx(5.0)
    trial.close()
    assert actor.leave.calls == 1


def test_a_trial_can_be_closed_while_its_sampler_is_gone() -> None:
    actor = Actor(enter=Remote(Entry(1, {})), take=Remote(RayActorError()))
    trial = SampledEnergy(OwnSampler(actor), TrialShares("t", 1))
    trial.start(0.0)
    trial.read(1.0)
    trial.close()
    assert actor.leave.calls == 0


def test_what_the_sampler_says_is_told_in_its_words() -> None:
    actor = Actor(enter=Remote(MeterError("no counter")))
    with pytest.raises(MeterError, match=r"^no counter$"):
        OwnSampler(actor).enter(TrialShares("t", 1))
