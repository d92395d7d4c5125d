"""A search that learns proposes a configuration twice only where it finds no other."""

from __future__ import annotations

import pytest
from asking import asked

from greenexp.records.search_space import Choice
from greenexp.records.values import canonical_json
from greenexp.searches import Observation, ProposalState, sampled
from greenexp.searches.sampled import seed_of

SPACE = {path: Choice(dist="choice", values=("a", "b", "c")) for path in ("first", "second")}


def different(name: str, asks: int, **settings: int) -> int:
    """How many of `asks` proposals from nine configurations differ."""
    history: list[Observation] = []
    for number in range(asks):
        proposal = asked(name, history, SPACE, samples=20, **settings)
        worth = -float(canonical_json(dict(proposal.values)).count("a"))
        one = Observation(number, proposal.values, ProposalState.COMPLETE, worth, number, 1, memory=proposal.memory)
        history.append(one)
    return len({canonical_json(dict(one.values)) for one in history})


@pytest.mark.parametrize(("name", "start"), [("tpe", {"startup": 3}), ("nsga2", {"population": 3})])
def test_other_configurations_are_looked_for(name: str, start: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    more = [different(name, 8, seed=seed, **start) for seed in range(4)]
    monkeypatch.setattr(sampled, "ATTEMPTS", 1)
    assert sum(more) > sum(different(name, 8, seed=seed, **start) for seed in range(4))


def test_a_search_goes_on_where_all_has_been_tried() -> None:
    assert different("tpe", 14, startup=3) <= 9


def test_the_first_attempt_has_the_seed_it_always_had() -> None:
    assert seed_of(3, 5) == seed_of(3, 5, 0)
    assert len({seed_of(3, 5, attempt) for attempt in range(10)}) == 10
