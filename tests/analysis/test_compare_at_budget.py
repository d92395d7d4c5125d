"""Comparisons at a budget: bands of the difference, where they part, equal cost, permutation tests, dev winners."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.comparing.compare import compare_at, compare_over_cost, crossings, regions
from greenexp.analysis.comparing.pairwise import compare_pairwise, holm
from greenexp.analysis.curves.curve_bands import tuning_curve_band
from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.curves.winner import expected_test_of_winner

FEW = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=4)


def test_the_difference_lies_between_the_two_bands_and_is_turned_with_the_scores():
    rng = np.random.default_rng(0)
    a, b, budgets = rng.random(41) + 0.9, rng.random(31), [1, 2, 5, 20]
    found = compare_at(a, b, budgets)
    bands = [tuning_curve_band(side, budgets, 0.975) for side in (a, b)]
    assert found["lower_95"].tolist() == (bands[0]["lower"] - bands[1]["upper"]).tolist()
    assert found["upper_95"].tolist() == (bands[0]["upper"] - bands[1]["lower"]).tolist()
    assert (found["lower_80"] >= found["lower_95"]).all()
    assert found["apart_95"].tolist()[:2] == ["a", "a"]
    turned = compare_at(-b, -a, budgets, minimize=True)
    assert turned["apart_95"].tolist()[:2] == ["b", "b"]
    assert turned["difference"].to_numpy() == pytest.approx(found["difference"].to_numpy())
    assert turned["probability_better"].to_numpy() == pytest.approx(1 - found["probability_better"].to_numpy())


def test_bands_part_wrongly_no_more_often_than_stated():
    """Two searches of one distribution, all budgets at once: rarer than 20 %, as both bands must stray."""
    rng = np.random.default_rng(1)
    wrong = sum((compare_at(*rng.random((2, 12)), range(1, 13))["apart_80"] != "").any() for _ in range(150))
    assert wrong / 150 <= 0.2


def test_means_have_a_band_only_on_a_stated_support():
    a, b = np.linspace(0.5, 0.9, 9), np.linspace(0.1, 0.4, 9)
    bare = compare_at(a, b, [1, 3], "unbiased")
    assert bare[["lower_95", "upper_95"]].isna().all(axis=None)
    assert bare["apart_95"].tolist() == ["", ""]
    assert bare["curve_a"].tolist() == tuning_curve(a, [1, 3]).tolist()
    known = compare_at(a, b, [1, 3], "unbiased", support=(0, 1), confidences=(0.995,))
    assert (known["lower_99.5"] < known["difference"]).all()
    assert (known["difference"] < known["upper_99.5"]).all()


def test_equal_cost_gives_the_cheaper_search_more_trials():
    a, b = np.arange(10.0), np.arange(10.0)
    found = compare_at(a, b, [2.0, 5.0], "unbiased", cost_a=0.5, cost_b=2.0)
    assert found[["n_a", "n_b"]].to_numpy().tolist() == [[4, 1], [10, 2]]
    assert found["probability_better"][0] == probability_better(a, b, 4, 1)
    with pytest.raises(ValueError, match="between 1"):
        compare_at(a, b, [1.0], cost_a=0.5, cost_b=2.0)
    with pytest.raises(ValueError, match="trials"):
        compare_at(a, b, [1.5])


def test_regions_and_crossings_are_read_off_the_table():
    table = pd.DataFrame({"budget": [1, 2, 3, 4, 6, 9], "difference": [0.2, 0.1, 0.0, -0.1, -0.2, 0.3]})
    table["apart_80"] = ["a", "a", "", "b", "b", ""]
    table["apart_95"] = ["", "", "", "", "b", ""]
    assert regions(table).to_numpy().tolist() == [
        [80.0, "a", 1, 2, 2],
        [80.0, "b", 4, 6, 2],
        [95.0, "b", 6, 6, 1],
    ]
    assert crossings(table).to_numpy().tolist() == [[2, 4, "a", "b"], [6, 9, "b", "a"]]
    assert crossings(table, minimize=True)["better_before"].tolist() == ["b", "a"]
    assert crossings(table.iloc[:3]).empty
    with pytest.raises(ValueError, match="ascend"):
        crossings(table[::-1])


def test_over_cost_each_trial_has_its_own_price():
    a, b = [1.0, 2.0, math.nan], [1.0, 3.0]
    found = compare_over_cost(a, [1, 1, 1], b, [2, 3], [1, 3])
    assert found["nothing_a"].tolist() == pytest.approx([1 / 3, 0])
    assert found["nothing_b"].tolist() == [1, 0]
    # At 1: B has nothing; A has a score twice in three, else they tie. At 3: A has 2, B 1 or 3.
    assert found["probability_better"].tolist() == pytest.approx([2 / 3 + 1 / 6, 0.5])
    assert found["difference"][1] == pytest.approx(0)
    assert (found["standard_error"] == 0).all()


@settings(max_examples=25, deadline=None)
@given(FEW, FEW, st.booleans())
def test_equal_prices_are_a_comparison_over_trials(a, b, minimize):
    n = min(len(a), len(b))
    found = compare_over_cost(a, [2] * len(a), b, [2] * len(b), [2 * n], minimize=minimize)
    expected = probability_better(a, b, n, minimize=minimize)
    assert found["probability_better"][0] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(FEW, FEW, st.data())
def test_exact_permutations_are_all_ways_of_dealing_out(a, b, data):
    n = data.draw(st.integers(1, min(len(a), len(b))))
    pooled = np.array(a + b)
    far = []
    for chosen in itertools.combinations(range(pooled.size), len(a)):
        rest = np.delete(pooled, list(chosen))
        far.append(abs(probability_better(pooled[list(chosen)], rest, n) - 0.5))
    seen = abs(probability_better(a, b, n) - 0.5)
    row = compare_pairwise({"x": a, "y": b}, [n], np.random.default_rng(0)).iloc[0]
    assert row["p"] == pytest.approx(np.mean(np.array(far) >= seen - 1e-9))
    assert row["probability_better"] == pytest.approx(probability_better(a, b, n), abs=1e-12)
    assert (row["test"], row["ways"]) == ("exact permutation", len(far))


def test_at_one_trial_it_is_mann_whitney():
    rng = np.random.default_rng(4)
    a, b = rng.random(7), rng.random(8) + 0.3
    row = compare_pairwise({"a": a, "b": b}, [1], rng).iloc[0]
    assert row["p"] == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)
    a, b = rng.random(60), rng.random(50) + 0.1
    row = compare_pairwise({"a": a, "b": b}, [1], rng, permutations=3999).iloc[0]
    expected = stats.mannwhitneyu(a, b).pvalue
    assert row["p"] == pytest.approx(expected, abs=5 * math.sqrt(expected / 3999))
    # Of all scores, the best alone decides, however they are dealt out.
    same = compare_pairwise({"a": a[:50], "b": b}, [50], rng, permutations=99)
    assert same["p"].tolist() == [1.0]


def test_holm_steps_down_over_the_whole_table():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]).tolist() == []
    scores = {name: np.random.default_rng(k).random(6) + k for k, name in enumerate("abc")}
    table = compare_pairwise(scores, [1, 2], np.random.default_rng(0))
    assert table[["a", "b", "budget"]].to_numpy().tolist() == [
        [x, y, n] for x, y in (("a", "b"), ("a", "c"), ("b", "c")) for n in (1, 2)
    ]
    assert table["p_holm"].tolist() == holm(table["p"]).tolist()
    with pytest.raises(ValueError, match="between 1 and 6"):
        compare_pairwise(scores, [7], np.random.default_rng(0))
    with pytest.raises(ValueError, match="two methods"):
        compare_pairwise({"a": [1.0]}, [1], np.random.default_rng(0))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=5), st.booleans(), st.data())
def test_the_winner_on_dev_is_looked_up_on_test(trials, minimize, data):
    dev, test = (np.array(column, dtype=float) for column in zip(*trials, strict=True))
    n = data.draw(st.integers(1, dev.size))
    sign = -1 if minimize else 1
    for estimator, searches in (
        ("unbiased", itertools.combinations(range(dev.size), n)),
        ("biased", itertools.product(range(dev.size), repeat=n)),
    ):
        found = []
        for search in searches:
            best = max(sign * dev[i] for i in search)
            found.append(np.mean([test[i] for i in search if sign * dev[i] == best]))
        expected = expected_test_of_winner(dev, test, [n], estimator, minimize)
        assert expected == pytest.approx([np.mean(found)], abs=1e-12)


def test_winners_of_dev_itself_are_the_tuning_curve():
    scores, budgets = np.random.default_rng(5).random(300), np.array([[1, 10], [100, 300]])
    found = expected_test_of_winner(scores, scores, budgets)
    assert found == pytest.approx(tuning_curve(scores, budgets), abs=1e-12)
    with pytest.raises(ValueError, match="needs both"):
        expected_test_of_winner([1.0, 2.0], [math.nan, 1.0], [1])
    with pytest.raises(ValueError, match="from 1 to 2"):
        expected_test_of_winner([1.0, 2.0], [1.0, 1.0], [3])


def test_a_cost_of_one_is_a_cost_where_the_other_has_another():
    table = compare_at([1.0, 2, 3], [1.0, 2, 4], [2.5], cost_a=1.0, cost_b=2.0)
    assert table[["n_a", "n_b"]].to_numpy().tolist() == [[2, 1]]
    with pytest.raises(ValueError, match="trials"):
        compare_at([1.0, 2, 3], [1.0, 2, 4], [2.5])
