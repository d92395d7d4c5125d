"""TPE under a scheduler with rungs: which scores it models, that it learns from them, and that it resumes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from asking import MIXED, RATE, asked, by_all, by_rate
from hypothesis import given
from hypothesis import strategies as st

from greenexp.records.values import canonical_json
from greenexp.searches import SEARCHES, Observation, ProposalState
from greenexp.searches.tpe import at_largest_fidelity

RUNNING, COMPLETE, STOPPED, FAILED = ProposalState
RUNGS = (1, 3, 9)


def a_history(rates: list[float], **options: Any) -> list[Observation]:
    return [Observation(number, {"rate": rate}, **options) for number, rate in enumerate(rates)]


def drawn(count: int, seed: int = 0) -> list[float]:
    return [float(10**power) for power in np.random.default_rng(seed).uniform(-5, -1, count)]


def ended(one: Observation) -> Observation:
    """As it stands after its next rung: the best fifth go on, a tenth fails."""
    score = by_all(one.values)
    rung = next(rung for rung in RUNGS if rung not in one.scores_at)
    scores_at = {**one.scores_at, rung: score - 1 / rung}
    if one.number % 10 == 7:
        return dataclasses.replace(one, progress=FAILED, scores_at={})
    if score < 1.0 and rung > 1:
        return dataclasses.replace(one, progress=STOPPED, score=score, epochs=rung, scores_at=scores_at)
    progress = COMPLETE if rung == RUNGS[-1] else RUNNING
    return dataclasses.replace(one, progress=progress, score=score, epochs=rung, scores_at=scores_at)


def four_at_a_time(asks: int, *, killed: bool) -> list[str]:
    """Proposals of which four train at a time; killed: each by a search that was built anew."""
    running = SEARCHES["tpe"](samples=asks, startup=5).start(MIXED, "max")
    order = np.random.default_rng(0)
    history: list[Observation] = []
    for _ in range(asks):
        open_ones = [one.number for one in history if one.progress is RUNNING]
        if len(open_ones) >= 4:
            chosen = int(order.choice(open_ones))
            history[chosen] = ended(history[chosen])
        asked_now = running.ask(history) if not killed else asked("tpe", history, MIXED, samples=asks, startup=5)
        history.append(Observation(len(history), asked_now.values))
    assert {one.progress for one in history} == set(ProposalState)
    return [canonical_json(dict(one.values)) for one in history]


def test_a_search_killed_at_every_ask_proposes_the_same() -> None:
    whole = four_at_a_time(60, killed=False)
    assert len(set(whole)) > 30
    assert four_at_a_time(60, killed=True) == whole


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(ProposalState)),
            st.sampled_from([None, 0.1, 0.5, float("nan")]),
            st.dictionaries(st.sampled_from(RUNGS), st.sampled_from([0.2, 0.4, float("nan")])),
        ),
        max_size=12,
    ),
    st.integers(1, 5),
)
def test_the_largest_fidelity_that_enough_have_come_to(known: list[Any], enough: int) -> None:
    history = [Observation(i, {}, progress, score, None, 0, at) for i, (progress, score, at) in enumerate(known)]
    complete = [score for progress, score, _ in known if progress is COMPLETE and score is not None and score == score]
    counts = {rung: sum(at.get(rung, np.nan) == at.get(rung, np.nan) for _, _, at in known) for rung in RUNGS}
    fits = [rung for rung in RUNGS if counts[rung] >= enough]
    found = at_largest_fidelity(history, enough)
    if len(complete) >= enough or not fits:
        assert repr(found) == repr(history)
        return
    for before, after in zip(history, found, strict=True):
        if max(fits) in before.scores_at:
            assert after.progress is COMPLETE
            assert repr(after.score) == repr(before.scores_at[max(fits)])
        else:
            assert after is before


@pytest.mark.parametrize("mode", ["max", "min"])
def test_those_that_wait_at_a_rung_are_modelled_by_their_scores_there(mode: Any) -> None:
    sign = 1.0 if mode == "max" else -1.0
    rates = drawn(12)
    waiting = [dataclasses.replace(one, scores_at={1: sign * by_rate(one.values)}) for one in a_history(rates)]
    full = [dataclasses.replace(one, progress=COMPLETE, score=sign * by_rate(one.values)) for one in a_history(rates)]
    options = {"mode": mode, "samples": 40, "startup": 8}
    assert asked("tpe", waiting, RATE, **options) == asked("tpe", full, RATE, **options)
    assert asked("tpe", a_history(rates), RATE, **options) != asked("tpe", full, RATE, **options)


def test_a_higher_rung_counts_as_soon_as_enough_have_come_to_it() -> None:
    """With one field, more than one point is enough for the model, and `startup` may ask for more."""
    rates = drawn(12)

    # Rung 1 says that large rates are best, rung 3 the contrary.
    def known(at_three: int) -> list[Observation]:
        return [
            dataclasses.replace(one, scores_at={1: rate, **({3: -rate} if one.number < at_three else {})})
            for one, rate in zip(a_history(rates), rates, strict=True)
        ]

    options = {"samples": 40, "startup": 4}
    lower = asked("tpe", [dataclasses.replace(o, scores_at={1: o.scores_at[1]}) for o in known(0)], RATE, **options)
    assert asked("tpe", known(3), RATE, **options) == lower
    assert asked("tpe", known(4), RATE, **options) != lower
    few = {"samples": 40, "startup": 1}
    assert asked("tpe", known(1), RATE, **few) == asked("tpe", known(0), RATE, **few)
    assert asked("tpe", known(2), RATE, **few) != asked("tpe", known(0), RATE, **few)


def test_it_learns_from_what_was_stopped_at_the_first_rung() -> None:
    """Where all but a few are stopped early, those at full fidelity alone would teach nothing."""

    def mean_of_the_last(seed: int, *, rungs: bool) -> float:
        history: list[Observation] = []
        for number in range(25):
            values = asked("tpe", history, RATE, samples=40, startup=6, seed=seed).values
            score = by_rate(values)
            at = {1: score} if rungs else {}
            history.append(Observation(number, values, RUNNING, score, None, 1, at))
        return float(np.mean([by_rate(one.values) for one in history[-10:]]))

    learnt = [mean_of_the_last(seed, rungs=True) for seed in range(6)]
    blind = [mean_of_the_last(seed, rungs=False) for seed in range(6)]
    assert np.mean(learnt) > np.mean(blind)
