"""One search for each value of a choice: equal numbers, in turn, and none depends on another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
from asking import observed

from greenexp.records.conditional_space import space_under
from greenexp.records.search_space import Choice, LogUniform, Uniform
from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, NoProposal, Observation, ProposalState
from greenexp.searches.base import Mode, Proposal, SearchSettings, Space
from greenexp.searches.per_value import search_per_value, seeded

SPACE: Space = {
    "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1, steps=3),
    "method": Choice(dist="choice", values=("leebert", "dbt", None)),
    "temperature": LogUniform(dist="loguniform", low=1, high=8, steps=2, when={"method": ["dbt", "leebert"]}),
    "share": Uniform(dist="uniform", low=0, high=1, steps=2, when={"method": ["leebert"]}),
}


def without(value: Any, space: Space = SPACE) -> Space:
    """The space with one method less."""
    methods = space["method"]
    assert isinstance(methods, Choice)
    left = tuple(one for one in methods.values if one != value)
    return {**space, "method": methods.model_copy(update={"values": left})}


def score_of(values: Any) -> float:
    return float(values["rate"] + values.get("temperature", 0.0) / 100)


def all_of(name: str, space: Space = SPACE, **options: Any) -> list[Observation]:
    """Every proposal of a search for each value, each of which has ended before the next."""
    running = search_per_value(SEARCHES[name](**options), "method").start(space, "max")
    history: list[Observation] = []
    while isinstance(proposal := running.ask(history), Proposal):
        history.append(observed(len(history), proposal.values, score_of(proposal.values)))
        running.tell(history[-1])
    return history


def of(method: Any, history: list[Observation]) -> list[str]:
    """What was proposed for one method."""
    return [canonical_json(dict(one.values)) for one in history if one.values["method"] == method]


@pytest.mark.parametrize(
    ("name", "options"), [("random", {"samples": 5}), ("tpe", {"samples": 14, "startup": 5}), ("grid", {})]
)
def test_every_value_gets_its_own_search_whatever_other_values_there_are(name: str, options: dict[str, Any]) -> None:
    history = all_of(name, **options)
    fewer = all_of(name, without("leebert"), **options)
    assert of("dbt", history) == of("dbt", fewer)
    assert of(None, history) == of(None, fewer)
    for method in ("leebert", "dbt", None):
        alone = seeded(SEARCHES[name](**options), method).start(space_under(SPACE, "method", method), "max")
        own: list[Observation] = []
        while isinstance(proposal := alone.ask(own), Proposal):
            own.append(observed(len(own), proposal.values, score_of(proposal.values)))
        expected = [canonical_json({"method": method, **one.values}) for one in own]
        assert of(method, history) == expected


def test_values_take_turns_and_a_value_that_is_done_is_passed_over() -> None:
    assert [one.values["method"] for one in all_of("random", samples=2)] == ["leebert", "dbt", None] * 2
    sizes = {"leebert": 3 * 2 * 2, "dbt": 3 * 2, None: 3}
    grid = [one.values["method"] for one in all_of("grid")]
    assert {method: grid.count(method) for method in sizes} == sizes
    assert grid[:9] == ["leebert", "dbt", None] * 3
    assert grid[-6:] == ["leebert"] * 6
    assert search_per_value(SEARCHES["grid"](), "method").size(SPACE) == len(grid)


def test_more_samples_keep_the_earlier_ones() -> None:
    few, many = all_of("random", samples=2), all_of("random", samples=4)
    assert [one.values for one in many[:6]] == [one.values for one in few]


def test_draws_of_two_values_are_not_the_same() -> None:
    rates = [one.values["rate"] for one in all_of("random", samples=3)]
    assert len(set(rates)) == len(rates)


def asked_anew(history: list[Observation], **options: Any) -> Any:
    return search_per_value(SEARCHES["tpe"](**options), "method").start(SPACE, "max").ask(history)


def test_searches_that_learn_propose_the_same_when_killed_with_configurations_under_way() -> None:
    options = {"samples": 14, "startup": 4}
    running = search_per_value(SEARCHES["tpe"](**options), "method").start(SPACE, "max")
    history: list[Observation] = []
    for number in range(42):
        if number >= 4:  # four run at a time, and the last but three ends
            one = history[number - 4]
            history[number - 4] = observed(one.number, one.values, score_of(one.values))
            history[number - 4] = dataclasses.replace(history[number - 4], ended=number - 4)
            running.tell(history[number - 4])
        proposal = running.ask(history)
        assert isinstance(proposal, Proposal)
        if number % 5 == 0:
            assert asked_anew(history, **options).values == proposal.values
        history.append(Observation(number, proposal.values))
    assert running.ask(history) is NoProposal.DONE


@dataclasses.dataclass(frozen=True)
class Listening(SearchSettings):
    """Waits until its own last configuration has ended, and checks all it is told."""

    def start(self, space: Space, mode: Mode) -> Heard:
        """See `SearchSettings.start`."""
        return Heard()

    def size(self, space: Space) -> int | None:
        """See `SearchSettings.size`."""
        return None


@dataclasses.dataclass
class Heard:
    """The running search."""

    told: list[int] = dataclasses.field(default_factory=list)

    def ask(self, history: Sequence[Observation]) -> Proposal | NoProposal:
        """See `RunningSearch.ask`."""
        assert [one.number for one in history] == list(range(len(history)))
        assert all("method" not in one.values for one in history)
        assert sorted(one.ended for one in history if one.ended is not None) == list(range(len(self.told)))
        if history and history[-1].progress is ProposalState.RUNNING:
            return NoProposal.WAIT
        return Proposal({"rate": 0.1}, {}) if len(history) < 3 else NoProposal.DONE

    def tell(self, observation: Observation) -> None:
        """See `RunningSearch.tell`."""
        assert observation.ended == len(self.told)
        self.told.append(observation.number)


class Learning(Listening):
    """The same, asked while the sweep runs."""

    planned = False


def test_each_search_is_told_of_its_own_configurations_as_if_it_were_alone() -> None:
    running = search_per_value(Learning(), "method").start(SPACE, "max")
    history: list[Observation] = []
    ends = 0
    for _ in range(9):
        answers = []
        while isinstance(answer := running.ask(history), Proposal):
            answers.append(answer.values["method"])
            history.append(Observation(len(history), answer.values))
        assert answer is (NoProposal.WAIT if answers else NoProposal.DONE)
        for one in [one for one in reversed(history) if one.ended is None]:
            history[one.number] = observed(one.number, one.values, 0.5)
            history[one.number] = dataclasses.replace(history[one.number], ended=ends)
            running.tell(history[one.number])
            ends += 1
    assert len(history) == 9
    assert search_per_value(Learning(), "method").size(SPACE) is None


@pytest.mark.parametrize("path", ["methods", "rate", "inner"])
def test_what_is_no_unconditional_choice_is_refused(path: str) -> None:
    inner = Choice(dist="choice", values=(1, 2), when={"method": ["dbt"]})
    search = search_per_value(SEARCHES["random"](samples=3), path)
    assert [problem.path for problem in search.problems({**SPACE, "inner": inner})] == ["search.per"]
    assert search.size({**SPACE, "inner": inner}) == 0


def test_what_is_wrong_with_a_search_is_said_once() -> None:
    space = {**SPACE, "rate": LogUniform(dist="loguniform", low=1e-4, high=1e-1)}
    found = list(search_per_value(SEARCHES["grid"](), "method").problems(space))
    assert [problem.path for problem in found] == ["space.rate"]
    few = search_per_value(SEARCHES["tpe"](samples=3), "method").problems(SPACE)
    assert [problem.path for problem in few] == ["search.samples"]


def test_a_gaussian_process_takes_conditions_on_the_value_alone() -> None:
    gp = SEARCHES["gp"](samples=20)
    assert list(gp.condition_problems(SPACE))
    assert not list(search_per_value(gp, "method").condition_problems(SPACE))
    nested = {**SPACE, "share": Uniform(dist="uniform", low=0, high=1, when={"other": [1]})}
    nested["other"] = Choice(dist="choice", values=(1, 2))
    found = search_per_value(gp, "method").condition_problems(nested)
    assert [problem.path for problem in found] == ["space.share.when"]
