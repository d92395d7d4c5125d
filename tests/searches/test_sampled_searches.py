"""The searches that learn: what comes next follows from the history alone, is Optuna's own answer, and is learnt."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from asking import MIXED, RATE, asked, by_all, by_rate, observed, one_by_one

from greenexp.errors import MissingExtraError
from greenexp.records.search_space import Choice
from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, NoProposal, Observation, ProposalState
from greenexp.searches.base import Proposal
from greenexp.searches.sampled import distributions_of, seed_of

LEARNING = ["tpe", "gp"]
ASKS = {"tpe": 60, "gp": 30}
"""A Gaussian process takes a tenth of a second for each."""
ENDS = (ProposalState.COMPLETE, ProposalState.STOPPED, ProposalState.COMPLETE, ProposalState.FAILED)


def ended(one: Observation, place: int) -> Observation:
    """As it ends: every fourth fails, every fourth is stopped early; in another order than they were proposed."""
    progress = ENDS[one.number % 4]
    score = None if progress is ProposalState.FAILED else by_all(one.values)
    epochs = 1 + one.number % 3 if progress is ProposalState.STOPPED else 9
    return dataclasses.replace(one, progress=progress, score=score, ended=place, epochs=epochs)


def four_at_a_time(name: str, asks: int, *, killed: bool, **options: Any) -> list[dict[str, Any]]:
    """The values of `asks` proposals, four of which run at a time; killed: each by a search that was built anew."""
    running = SEARCHES[name](samples=asks, **options).start(MIXED, "max")
    order = np.random.default_rng(0)
    history: list[Observation] = []
    for number in range(asks):
        open_ones = [one.number for one in history if one.ended is None]
        if len(open_ones) == 4:
            chosen = int(order.choice(open_ones))
            history[chosen] = ended(history[chosen], sum(one.ended is not None for one in history))
        if killed:
            # Through the journal, which has lists where the space has tuples.
            history = [dataclasses.replace(one, values=json.loads(canonical_json(one.values))) for one in history]
            proposal = asked(name, history, MIXED, samples=asks, **options)
        else:
            proposal = running.ask(history)
        history.append(Observation(number, proposal.values))
    return [dict(one.values) for one in history]


@pytest.mark.parametrize("name", LEARNING)
def test_a_search_killed_at_every_ask_proposes_the_same(name: str) -> None:
    whole = four_at_a_time(name, ASKS[name], killed=False)
    assert len({canonical_json(values) for values in whole}) > ASKS[name] // 2
    assert list(map(canonical_json, four_at_a_time(name, ASKS[name], killed=True))) == list(map(canonical_json, whole))
    other = four_at_a_time(name, 12, killed=False, seed=1)
    assert all(canonical_json(a) != canonical_json(b) for a, b in zip(whole, other, strict=False))


@pytest.mark.parametrize("name", LEARNING)
def test_neither_the_order_of_the_space_nor_the_number_of_samples_matters(name: str) -> None:
    history = one_by_one(name, 14, MIXED, by_all)
    turned = dict(reversed(MIXED.items()))
    for known in (history[:3], history):
        values = asked(name, known, MIXED, samples=15).values
        assert list(values) == list(MIXED)
        assert asked(name, known, turned, samples=20).values == values


def studied(sampler: Any, asks: int, mode: str) -> list[Mapping[str, Any]]:
    """What one study of Optuna's proposes, with a new sampler before each ask; of a choice the place of the value."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction={"max": "maximize", "min": "minimize"}[mode])
    found = []
    for number in range(asks):
        study.sampler = sampler(seed_of(7, number))
        trial = study.ask(distributions_of(MIXED))
        found.append(trial.params)
        values = {path: known.values[trial.params[path]] for path, known in MIXED.items() if isinstance(known, Choice)}
        score = by_all({**trial.params, **values})
        study.tell(trial, score if mode == "max" else -score)
    return found


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(
    ("name", "options", "kind", "known"),
    [
        ("tpe", {}, "TPESampler", {"multivariate": True}),
        ("tpe", {"multivariate": False}, "TPESampler", {"multivariate": False}),
        ("gp", {}, "GPSampler", {}),
    ],
)
def test_one_after_the_other_it_proposes_what_optuna_does(
    name: str, options: dict[str, Any], kind: str, known: dict[str, Any], mode: Any
) -> None:
    def sampler(seed: int) -> Any:
        return getattr(optuna.samplers, kind)(seed=seed, n_startup_trials=5, **known)

    sign = 1.0 if mode == "max" else -1.0
    history = one_by_one(name, 20, MIXED, lambda values: sign * by_all(values), mode, startup=5, seed=7, **options)
    for one, params in zip(history, studied(sampler, 20, mode), strict=True):
        kinds = {path: dist.values[params[path]] for path, dist in MIXED.items() if isinstance(dist, Choice)}
        assert canonical_json(one.values) == canonical_json({**params, **kinds})


@pytest.mark.parametrize(("name", "searches", "asks"), [("tpe", 20, 25), ("gp", 6, 18)])
@pytest.mark.parametrize("mode", ["max", "min"])
def test_it_learns(name: str, searches: int, asks: int, mode: Any) -> None:
    sign = 1.0 if mode == "max" else -1.0

    def best(kind: str, seed: int, **options: Any) -> float:
        history = one_by_one(kind, asks, RATE, lambda values: sign * by_rate(values), mode, seed=seed, **options)
        return max(by_rate(one.values) for one in history)

    learnt = [best(name, seed) for seed in range(searches)]
    drawn = [best("random", seed) for seed in range(searches)]
    assert np.mean(learnt) > np.mean(drawn)
    assert sum(a > b for a, b in zip(learnt, drawn, strict=True)) >= 0.65 * searches


@pytest.mark.parametrize("name", LEARNING)
def test_every_value_is_one_of_the_space(name: str) -> None:
    kind = MIXED["kind"]
    assert isinstance(kind, Choice)
    listed = {canonical_json(value) for value in kind.values}
    for one in one_by_one(name, 25, MIXED, by_all, startup=5):
        assert 1e-4 <= one.values["rate"] <= 1e-1  # type: ignore[operator]
        assert 0 <= one.values["dropout"] <= 0.5  # type: ignore[operator]
        assert one.values["layers"] in {3, 7, 11, 15, 19}
        assert type(one.values["layers"]) is int
        assert canonical_json(one.values["kind"]) in listed
        assert one.values["only"] == "one"


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("progress", list(ProposalState))
@pytest.mark.parametrize("score", [None, float("nan"), float("inf"), 0.5])
def test_no_history_keeps_it_from_proposing(name: str, progress: ProposalState, score: float | None) -> None:
    history = one_by_one(name, 4, MIXED, by_all, startup=2)
    odd = [dataclasses.replace(one, progress=progress, score=score) for one in history]
    for known in (odd, [*history, *(dataclasses.replace(one, number=one.number + 4) for one in odd)]):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert isinstance(asked(name, known, MIXED, samples=20, startup=2), Proposal)


def test_one_stopped_early_ranks_below_those_that_were_not_and_longer_ones_first() -> None:
    """Optuna's rule, which the history must be told by: only then do equal scores of other lengths matter."""
    history = one_by_one("tpe", 24, RATE, by_rate, startup=5)
    stopped = [
        dataclasses.replace(one, progress=ProposalState.STOPPED, score=0.5, epochs=1 + one.number % 5)
        for one in history
    ]
    other = [dataclasses.replace(one, epochs=1 + (one.number + 2) % 5) for one in stopped]
    assert asked("tpe", stopped, RATE, samples=30).values != asked("tpe", other, RATE, samples=30).values
    best = [dataclasses.replace(one, score=9.0) if one.progress is ProposalState.STOPPED else one for one in
            [*history, *(dataclasses.replace(one, number=one.number + 24) for one in stopped)]]  # fmt: skip
    worst = [dataclasses.replace(one, score=-9.0) if one.score == 9.0 else one for one in best]
    assert asked("tpe", best, RATE, samples=60).values == asked("tpe", worst, RATE, samples=60).values


@pytest.mark.parametrize("name", LEARNING)
def test_those_that_are_running_are_avoided(name: str) -> None:
    history = one_by_one(name, 12, RATE, by_rate, startup=5)
    first = asked(name, history, RATE, samples=30, startup=5).values
    running = [Observation(12 + i, first) for i in range(3)]
    alone = [*history, *(dataclasses.replace(one, progress=ProposalState.FAILED) for one in running)]
    with_running = asked(name, [*history, *running], RATE, samples=30, startup=5)
    assert with_running.values != asked(name, alone, RATE, samples=30, startup=5).values


@pytest.mark.parametrize("name", LEARNING)
def test_it_says_nothing_and_leaves_optunas_verbosity(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        one_by_one(name, 8, MIXED, by_all, startup=3)
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(before)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", LEARNING)
def test_it_ends_after_its_samples(name: str) -> None:
    search = SEARCHES[name](samples=12)
    assert (search.planned, search.independent, search.even) == (False, False, False)
    assert search.size(RATE) == 12
    assert not list(search.problems(RATE))
    history = one_by_one(name, 12, RATE, by_rate)
    assert search.start(RATE, "max").ask(history) is NoProposal.DONE


@pytest.mark.parametrize("name", LEARNING)
def test_what_cannot_learn_is_refused(name: str) -> None:
    assert [found.path for found in SEARCHES[name](samples=10).problems(RATE)] == ["search.samples"]
    assert [found.path for found in SEARCHES[name](samples=10, startup=9).problems({})] == ["search"]


@pytest.mark.parametrize("name", LEARNING)
def test_without_optuna_it_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greenexp.extras.find_spec", lambda module: None)
    with pytest.raises(MissingExtraError, match=r"optuna.*greenexp\[train\]"):
        asked(name, [observed(0, {"rate": 1e-3}, 0.5)], RATE, samples=20)


def test_numbers_to_choose_from_are_ordered_however_they_are_listed() -> None:
    def proposals(*sizes: float) -> list[Any]:
        space = {"size": Choice(dist="choice", values=sizes), "kind": Choice(dist="choice", values=("b", "a"))}
        history: list[Observation] = []
        for number in range(14):
            values = asked("tpe", history, space, samples=20, startup=5).values
            one = Observation(number, json.loads(canonical_json(values)), ProposalState.COMPLETE)
            history.append(dataclasses.replace(one, score=-abs(float(str(values["size"])) - 9), ended=number, epochs=1))
        return [dict(one.values) for one in history]

    assert proposals(4, 1, 16, 8, 2.5) == proposals(1, 2.5, 4, 8, 16)
    assert {values["size"] for values in proposals(4, 1, 16, 8, 2.5)} <= {1, 2.5, 4, 8, 16}


def test_neighbours_are_known_of_three_numbers_or_more_alone() -> None:
    listed = {"three": (1, 2.5, 9), "two": (1, 2), "mixed": (1, 2, "x"), "truths": (True, False, 3)}
    space = {path: Choice(dist="choice", values=values) for path, values in listed.items()}
    found = distributions_of(space)
    assert found["three"] == optuna.distributions.IntDistribution(0, 2)
    for path in ("two", "mixed", "truths"):
        assert found[path] == optuna.distributions.CategoricalDistribution(range(len(listed[path])))
