"""A search for each value of a choice, each with a budget of its own: it ends there, whatever the others cost."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import observed
from growing_sweeps import a_plan, session

from greenexp.errors import SweepFileError
from greenexp.records.search_space import Choice, LogUniform
from greenexp.searches import SEARCHES, NoProposal, Observation, ProposalState
from greenexp.searches.base import Proposal, Space
from greenexp.searches.per_value import search_per_value, used_share

SPACE: Space = {
    "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1),
    "method": Choice(dist="choice", values=("cheap", "dear")),
}
METHODS = "space.method.name={dist: choice, values: [dbt, branchynet]}"
FIFO = "scheduler={name: fifo}"


def ended(number: int, method: str, cost: float) -> Observation:
    return dataclasses.replace(observed(number, {"method": method}, 0.5), used={"train_flops": cost})


def running(number: int, method: str, cost: float) -> Observation:
    return dataclasses.replace(ended(number, method, cost), progress=ProposalState.RUNNING, score=None, ended=None)


def test_each_value_ends_at_its_own_budget() -> None:
    """The dear one costs between 1 and 5 a configuration, the cheap one a tenth of that."""
    samples = 40
    rng = np.random.default_rng(0)
    search = search_per_value(SEARCHES["random"](samples=samples), "method", {"train_flops": 20.0}).start(SPACE, "max")
    history: list[Observation] = []
    while isinstance(proposal := search.ask(history), Proposal):
        method = str(proposal.values["method"])
        cost = rng.uniform(1, 5) / (10 if method == "cheap" else 1)
        one = observed(len(history), proposal.values, 0.5)
        history.append(dataclasses.replace(one, used={"train_flops": cost}))
    assert search.ask(history) is NoProposal.DONE
    costs = {m: [o.used["train_flops"] or 0.0 for o in history if o.values["method"] == m] for m in ("cheap", "dear")}
    assert sum(costs["dear"]) >= 20 > sum(costs["dear"][:-1])
    assert len(costs["cheap"]) == samples, "its samples are fewer than its budget allows"
    alone = SEARCHES["random"](samples=samples)
    assert search_per_value(alone, "method").size(SPACE) == 2 * samples
    assert search_per_value(alone, "method", {"train_flops": 20.0}).size(SPACE) is None


def test_the_value_that_has_used_least_comes_next() -> None:
    search = search_per_value(SEARCHES["random"](samples=9), "method", {"train_flops": 10.0}).start(SPACE, "max")
    history = [ended(0, "cheap", 1.0), ended(1, "dear", 4.0), ended(2, "cheap", 1.0)]
    proposal = search.ask(history)
    assert isinstance(proposal, Proposal)
    assert proposal.values["method"] == "cheap", "it has been given more configurations, and has used less"


def test_what_is_running_is_expected_to_cost_as_much_as_what_has_ended() -> None:
    own = [ended(0, "dear", 4.0), running(1, "dear", 1.0), running(2, "dear", 7.0)]
    share = used_share(own, {"train_flops": 16.0})
    assert (share.known, share.expected) == (12 / 16, (4 + 4 + 7) / 16)
    both = used_share(own, {"train_flops": 16.0, "energy_j": 1.0})
    assert both.known == math.inf, "nobody watches a limit on what was not measured"
    settings = search_per_value(SEARCHES["random"](samples=9), "method", {"train_flops": 15.0})
    full = [ended(0, "cheap", 15.0), *(dataclasses.replace(o, number=o.number + 1) for o in own)]
    assert settings.start(SPACE, "max").ask(full) is NoProposal.WAIT, (
        "what is running may yet cost less than is expected"
    )
    assert settings.start(SPACE, "max").ask([*full[:2], ended(2, "dear", 11.0)]) is NoProposal.DONE


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sweep_gives_every_method_the_same_budget(tmp_path: Path, workers: int) -> None:
    """The stand-in's epochs cost 1 GFLOP: a configuration of two seeds and nine epochs costs 18."""
    within = "search={name: random, samples: 50, per: method.name, budget: {train_flops: 60 GFLOP}}"
    state = session(tmp_path, within, METHODS, FIFO, f"resources.workers={workers}")
    assert state.complete
    proposed = [one.values["method.name"] for one in state.proposals]
    assert (proposed.count("dbt"), proposed.count("branchynet")) == (4, 4)
    epochs = "search={name: tpe, samples: 50, startup: 2, per: method.name, budget: {epochs: 40, trials: 50}}"
    state = session(tmp_path / "epochs", epochs, METHODS, FIFO)
    assert [one.values["method.name"] for one in state.proposals].count("dbt") == 3


@pytest.mark.parametrize(
    ("settings", "place", "said"),
    [
        (("search={name: random, samples: 9, budget: {epochs: 40}}",), "search.budget", "per"),
        (("search={name: random, samples: 9, per: method.name, budget: {}}", METHODS), "search.budget", "train_flops"),
        (("search={name: random, samples: 9, per: method.name, budget: {epochs: -1}}", METHODS), "budget.epochs", "0"),
        (
            ("search={name: tpe, samples: 29, per: method.name, budget: {epochs: 9}}", METHODS, "scheduler.name=sha"),
            "scheduler.name", "asha",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_limited_is_refused_at_its_place(settings: tuple[Any, ...], place: str, said: str) -> None:
    with pytest.raises(SweepFileError) as refused:
        a_plan(*settings)
    assert place in str(refused.value)
    assert said in str(refused.value)
