"""Searches that learn from several objectives, and NSGA-II: what comes next follows from the history alone."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from asking import MIXED

from greenexp.analysis.fronts.pareto import hypervolume
from greenexp.records.search_space import Choice, Int, LogUniform, Uniform
from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, Observation, ProposalState
from greenexp.searches.base import Mode, Proposal, Space

DIRECTIONS: dict[str, Mode] = {"score": "max", "train_flops": "min"}
PLANE: Space = {
    "width": Uniform(dist="uniform", low=0.0, high=1.0),
    "waste": Uniform(dist="uniform", low=0.0, high=1.0),
    "layers": Int(dist="int", low=1, high=12),
    "kind": Choice(dist="choice", values=("a", "b", "c")),
    "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1),
}
LEARNING = ["tpe", "gp", "nsga2"]
GENERATION = "NSGAIISampler:generation"


def options_of(name: str, samples: int) -> dict[str, Any]:
    return {"samples": samples, **({"population": 8} if name == "nsga2" else {"startup": 6})}


def objectives(values: Any) -> dict[str, float | None]:
    """Score against cost: the more layers the better and the dearer; waste is bad for both."""
    score = values["layers"] / 12 - 0.5 * values["waste"] - 0.1 * (values["kind"] == "c")
    return {"score": float(score), "train_flops": float(values["layers"] + 6 * values["waste"] + values["width"])}


def ended(one: Observation, place: int) -> Observation:
    """As it ends: one in seven fails, one in seven is stopped early, of one in seven a cost was not measured."""
    kind = one.number % 7
    known = objectives(one.values)
    if kind == 2:
        return dataclasses.replace(one, progress=ProposalState.FAILED, ended=place)
    if kind == 4:
        known["train_flops"] = None
    progress = ProposalState.STOPPED if kind == 3 else ProposalState.COMPLETE
    return dataclasses.replace(one, progress=progress, score=known["score"], ended=place, epochs=3, objectives=known)


def four_at_a_time(name: str, asks: int, *, killed: bool) -> list[Observation]:
    """The history after `asks` proposals, four of which run at a time; killed: each by a search that was built anew."""
    search = SEARCHES[name](**options_of(name, asks))
    running = search.begin(PLANE, DIRECTIONS)
    order = np.random.default_rng(0)
    history: list[Observation] = []
    for number in range(asks):
        under_way = [one.number for one in history if one.ended is None]
        if len(under_way) == 4:
            chosen = int(order.choice(under_way))
            history[chosen] = ended(history[chosen], sum(one.ended is not None for one in history))
        if killed:  # through the journal
            history = [
                dataclasses.replace(
                    one,
                    values=json.loads(canonical_json(dict(one.values))),
                    memory=json.loads(canonical_json(dict(one.memory))),
                )
                for one in history
            ]
            running = search.begin(PLANE, DIRECTIONS)
        proposal = running.ask(history)
        assert isinstance(proposal, Proposal)
        history.append(Observation(number, proposal.values, memory=proposal.memory))
    return history


def as_text(history: list[Observation]) -> list[str]:
    return [canonical_json([dict(one.values), dict(one.memory)]) for one in history]


@pytest.mark.parametrize(("name", "asks"), [("nsga2", 60), ("tpe", 40), ("gp", 12)])
def test_a_search_killed_at_every_ask_proposes_the_same(name: str, asks: int) -> None:
    whole = four_at_a_time(name, asks, killed=False)
    assert as_text(four_at_a_time(name, asks, killed=True)) == as_text(whole)


def test_generations_grow_and_the_first_is_random_alone() -> None:
    history = four_at_a_time("nsga2", 60, killed=True)
    generations = [one.memory[GENERATION] for one in history]
    assert generations[0] == 0
    assert generations == sorted(generations)
    assert max(generations) >= 3
    first = [one for one in history if one.memory[GENERATION] == 0]
    complete = [one for one in first if one.progress is ProposalState.COMPLETE and None not in one.objectives.values()]
    assert len(complete) >= 8
    children = [one for one in history if one.memory[GENERATION] == 2]
    values = {canonical_json(one.values["rate"]) for one in history if one.memory[GENERATION] < 2}
    assert sum(canonical_json(one.values["rate"]) in values for one in children) > len(children) / 2, "inherited"


def test_what_is_not_told_again_is_not_known() -> None:
    """The reason why the journal holds it: without it every generation is the first."""
    history = four_at_a_time("nsga2", 40, killed=False)
    forgotten = [dataclasses.replace(one, memory={}) for one in history]
    search = SEARCHES["nsga2"](**options_of("nsga2", 60))
    again = search.begin(PLANE, DIRECTIONS).ask(forgotten)
    assert isinstance(again, Proposal)
    assert again.memory[GENERATION] == 0


def volume(history: list[Observation]) -> float:
    known = [[one.objectives["score"], one.objectives["train_flops"]] for one in history]
    return hypervolume(np.array(known, dtype=np.float64), [-0.6, 19.0], ("max", "min"))


def one_by_one(name: str, asks: int, seed: int) -> list[Observation]:
    options = {"samples": asks} if name == "random" else options_of(name, asks)
    running = SEARCHES[name](**options, seed=seed).begin(PLANE, DIRECTIONS)
    history: list[Observation] = []
    for number in range(asks):
        proposal = running.ask(history)
        assert isinstance(proposal, Proposal)
        known = objectives(proposal.values)
        one = Observation(number, proposal.values, ProposalState.COMPLETE, known["score"], number, 9)
        history.append(dataclasses.replace(one, objectives=known, memory=proposal.memory))
    return history


@pytest.mark.parametrize("name", ["nsga2", "tpe"])
def test_the_front_grows_faster_than_by_random_draws(name: str) -> None:
    learnt = [volume(one_by_one(name, 60, seed)) for seed in range(5)]
    drawn = [volume(one_by_one("random", 60, seed)) for seed in range(5)]
    assert np.mean(learnt) > np.mean(drawn)


@pytest.mark.parametrize("name", LEARNING)
def test_configurations_that_were_stopped_do_not_raise(name: str) -> None:
    stopped = [
        Observation(
            n, {**one.values}, ProposalState.STOPPED, 0.1 * n, n, 2, {"score": 0.1 * n, "train_flops": 1.0}, one.memory
        )
        for n, one in enumerate(one_by_one("random", 12, 0))
    ]
    proposal = SEARCHES[name](**options_of(name, 20)).begin(PLANE, DIRECTIONS).ask(stopped)
    assert isinstance(proposal, Proposal)


def test_nsga2_with_one_objective_goes_where_the_score_is_better() -> None:
    running = SEARCHES["nsga2"](samples=64, population=8).start(MIXED, "min")
    history: list[Observation] = []
    for number in range(64):
        proposal = running.ask(history)
        assert isinstance(proposal, Proposal)
        one = Observation(number, proposal.values, ProposalState.COMPLETE, proposal.values["dropout"], number, 9)  # type: ignore[arg-type]
        history.append(dataclasses.replace(one, memory=proposal.memory))
    scores = [float(one.score or 0.0) for one in history]
    assert np.mean(scores[-16:]) < 0.7 * np.mean(scores[:8])


def test_a_population_as_large_as_the_search_is_refused() -> None:
    found = SEARCHES["nsga2"](samples=16, population=16).problems(PLANE)
    assert [problem.path for problem in found] == ["search.samples"]
