"""What a running search keeps of its history never decides: only what the history says now does."""

from __future__ import annotations

import dataclasses
from typing import Any

import optuna
import pytest
from asking import MIXED, asked, by_all, observed, one_by_one
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, Observation, ProposalState
from greenexp.searches.known_trials import KnownTrials, Places


def changed(history: list[Observation]) -> list[list[Observation]]:
    """With another score, one that runs again, a value that is equal and not the same, and without the last two."""
    first = history[0]
    same = {**first.values, "kind": {"True": 1, "1": True, "1.0": 1}.get(repr(first.values["kind"]), True)}
    return [
        [dataclasses.replace(first, score=99.0), *history[1:]],
        [dataclasses.replace(first, progress=ProposalState.RUNNING, score=None, ended=None), *history[1:]],
        [dataclasses.replace(first, values=same), *history[1:]],
        history[:-2],
    ]


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_a_search_that_was_asked_before_answers_like_a_new_one(name: str) -> None:
    options: dict[str, Any] = {"population": 4} if name == "nsga2" else {"startup": 4}
    space = MIXED
    running = SEARCHES[name](samples=30, **options).start(space, "max")
    history: list[Observation] = []
    for number in range(12):
        proposal = running.ask(history)
        one = observed(number, proposal.values, by_all(proposal.values))  # type: ignore[union-attr]
        history.append(dataclasses.replace(one, memory=proposal.memory))  # type: ignore[union-attr]
    for other in (*changed(history), history):
        again = running.ask(other)
        fresh = asked(name, other, space, samples=30, **options)
        assert canonical_json(again.values) == canonical_json(fresh.values)  # type: ignore[union-attr]
        assert again.memory == fresh.memory  # type: ignore[union-attr]


def test_it_makes_anew_only_what_has_changed() -> None:
    history = one_by_one("tpe", 8, MIXED, by_all, startup=4)
    running = SEARCHES["tpe"](samples=30, startup=4).start(MIXED, "max")
    running.ask(history)
    before = [one.trial for one in running._known]  # type: ignore[attr-defined]
    running.ask([*history[:3], dataclasses.replace(history[3], score=-1.0), *history[4:]])
    after = [one.trial for one in running._known]  # type: ignore[attr-defined]
    assert [a is b for a, b in zip(before, after, strict=True)] == [place != 3 for place in range(8)]


def known(state: TrialState) -> FrozenTrial:
    values = [0.5] if state is TrialState.COMPLETE else None
    return FrozenTrial(0, state, None, None, None, {}, {}, {}, {}, {}, 0, values=values)


@pytest.mark.parametrize(("state", "error"), [(TrialState.COMPLETE, "finished"), (TrialState.RUNNING, "known")])
def test_what_is_known_is_not_changed_and_what_was_handed_out_neither(state: TrialState, error: str) -> None:
    study = optuna.create_study(storage=KnownTrials([known(state)]))
    trial = study.ask()
    storage = study._storage
    seen = storage.get_all_trials(0, deepcopy=False)
    for change in (
        lambda place: storage.set_trial_system_attr(place, "a", 1),
        lambda place: storage.set_trial_user_attr(place, "b", 2),
        lambda place: storage.set_trial_param(place, "x", 1.0, Places((0, 1))),
    ):
        with pytest.raises(RuntimeError, match=error):
            change(0)
        change(trial.number)
    own = storage.get_trial(trial.number)
    assert (own.system_attrs, own.user_attrs, own.params) == ({"a": 1}, {"b": 2}, {"x": 1})
    assert (seen[1].system_attrs, seen[1].user_attrs, seen[1].params) == ({}, {}, {})


def test_places_are_equal_to_optunas_choice_of_the_same() -> None:
    places = Places(range(3))
    assert places == CategoricalDistribution(range(3))
    assert places == Places(range(3))
    assert places != CategoricalDistribution(range(4))
    assert places != optuna.distributions.IntDistribution(0, 2)
    assert hash(places) == hash(Places(range(3)))
