"""Statistics of many scores and of many groups: the work grows with their number, and not with that of their pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from told import tells

from greenexp.analysis.comparing import pairwise, power, score_tests
from greenexp.analysis.comparing.power import smallest_difference
from greenexp.analysis.comparing.score_tests import score_difference
from greenexp.analysis.curves import renewal
from greenexp.analysis.seeds import methods, splitting
from greenexp.api.comparisons import seeds
from greenexp.api.statistics import compare
from greenexp.errors import InputError

SCORES = st.lists(st.integers(-5, 5), min_size=2, max_size=12)


@given(a=SCORES, b=SCORES, minimize=st.booleans())
def test_superiority_is_the_share_of_pairs(a: list[int], b: list[int], minimize: bool) -> None:
    ours, theirs = np.array(a) / 10, np.array(b) / 10
    sign = -1 if minimize else 1
    above = sign * np.round(ours[:, None] - theirs[None, :], 6)
    expected = (above > 0).mean() + (above == 0).mean() / 2
    assert score_difference(ours, theirs, minimize=minimize).superiority == pytest.approx(expected)


def test_scores_that_differ_by_rounding_are_ties() -> None:
    assert score_difference([0.1 + 0.2, 0.3], [0.3, 0.3]).superiority == 0.5


def test_many_scores_need_no_matrix_of_pairs() -> None:
    """A matrix of 60,000 x 60,000 numbers would take 29 GB."""
    scores = np.random.default_rng(0).normal(size=60_000)
    assert score_difference(scores, scores).superiority == 0.5


def test_groups_of_one_design_share_the_search_for_the_smallest_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    own = power._power
    monkeypatch.setattr(power, "_power", lambda *given: asked.append(given) or own(*given))
    power._smallest_shift.cache_clear()
    first = smallest_difference(5, 0.25)
    once = len(asked)
    assert [smallest_difference(5, sd) / sd for sd in (0.5, 1.0, 7.0)] == pytest.approx([first / 0.25] * 3)
    assert len(asked) == once > 0


def test_many_groups_of_many_scores_are_resampled_less_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are lowered here, so that the test is quick."""
    samples: list[int] = []
    own = score_tests.almost_stochastic_order
    monkeypatch.setattr(
        score_tests, "almost_stochastic_order", lambda *a, **more: samples.append(a[4]) or own(*a, **more)
    )
    monkeypatch.setattr(pairwise.affordable, "__defaults__", (1_000,))
    monkeypatch.setattr(methods, "BOOTSTRAP_CELLS", 1_000)
    rng = np.random.default_rng(0)
    trials = pd.DataFrame({"score": rng.normal(size=60), "model": list("abc") * 20, "seed": np.arange(60)})
    found = seeds(trials, score="score", seed_columns=["seed"], by="model")
    ways = found["tests"].set_index("test")["method"]["permutation"]
    assert all(tells(each, "999") for each in ways)
    assert set(samples) == {methods.LEAST_BOOTSTRAP}
    assert any(tells(note, "999 … 4999 … 200 … 1000") for note in found.notes)


def test_the_variance_of_very_many_groups_is_split_in_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "MOST_SPLIT", 2)
    trials = pd.DataFrame({"score": np.arange(24.0) % 7, "model": list("abc") * 8, "seed": np.arange(24) // 3})
    found = seeds(trials, score="score", seed_columns=["seed"], by="model")
    assert set(found["splits"]["by"]) == {"a", "b"}
    assert set(found["methods"].iloc[:, 0]) == {"a", "b", "c"}
    assert any(tells(note, "2 of 3 groups") for note in found.notes)


@pytest.mark.parametrize("size", [1e200, 1e-200])
@pytest.mark.parametrize("column", ["score", "cost"])
def test_numbers_whose_powers_are_none_are_refused(column: str, size: float) -> None:
    trials = pd.DataFrame({"score": np.arange(1.0, 9.0), "cost": np.arange(1.0, 9.0), "model": list("ab") * 4})
    trials.loc[3, column] = size
    with pytest.raises(InputError) as refused:
        compare(trials, score="score", cost="cost", by="model")
    assert tells(str(refused.value), f"row 3 … '{column}' … {size:g}")


def test_a_long_lattice_of_few_trials_counts_by_its_steps() -> None:
    """Each is a step of a loop in Python, however little is multiplied in it: 500,000 took 10 s."""
    ranks, steps = np.arange(1, 5), np.array([1, 2, 3, 400_000])
    assert renewal.feasible(ranks, steps, 50_000, replacement=True)
    assert not renewal.feasible(ranks, steps, 500_000, replacement=True)
    assert renewal.feasible(ranks, steps, 500_000, replacement=False), "there, all amounts are one array"
