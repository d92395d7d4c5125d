"""P(A > B), expected hypervolume and early stopping against brute force over all subsets or draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.curves.tuning_curve import tuning_curve, tuning_curve_error
from greenexp.analysis.fronts.expected_hypervolume import expected_hypervolume
from greenexp.analysis.fronts.pareto import hypervolume
from greenexp.analysis.stopping.early_stopping import early_stopping_cdf

WAYS = {"unbiased": itertools.combinations, "biased": lambda items, n: itertools.product(items, repeat=n)}
FEW = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(FEW, FEW, st.data(), st.sampled_from(sorted(WAYS)), st.booleans())
def test_better_is_a_share_of_all_pairs_of_searches(a, b, data, estimator, minimize):
    n_a, n_b = data.draw(st.integers(1, len(a))), data.draw(st.integers(1, len(b)))
    sign = -1 if minimize else 1
    bests = [np.array([max(sign * v for v in c) for c in WAYS[estimator](s, n)]) for s, n in ((a, n_a), (b, n_b))]
    wins = np.subtract.outer(*bests)
    expected = (wins > 0).mean() + (wins == 0).mean() / 2
    assert probability_better(a, b, n_a, n_b, estimator, minimize) == pytest.approx(expected, abs=1e-12)
    assert probability_better(b, a, n_b, n_a, estimator, minimize) == pytest.approx(1 - expected, abs=1e-12)


def test_equal_budgets_are_the_default_and_too_many_are_refused():
    assert probability_better([1, 2, 3], [1, 2, 3], 2) == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"n_b is 4.*from 1 to 3"):
        probability_better([1, 2, 3, 4], [1, 2, 3], 4)
    with pytest.raises(ValueError, match="finite"):
        probability_better([float("nan")], [1], 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5), st.sampled_from(sorted(WAYS)))
def test_expected_hypervolume_is_the_mean_over_all_searches(rows, estimator):
    points, reference = np.array(rows, dtype=float), [4.0, 3.5]
    for n in range(1, len(points) + 1):
        areas = [hypervolume(points[list(c)], reference) for c in WAYS[estimator](range(len(points)), n)]
        found = expected_hypervolume(points, [n], reference, estimator)
        assert found == pytest.approx([np.mean(areas)], abs=1e-12)


def test_a_trial_may_have_several_points():
    points = np.random.default_rng(0).random((8, 2))
    trials = ["a", "b", "a", "c", "b", "b", "c", "d"]
    for n in (1, 2, 3, 4):
        areas = [hypervolume(points[np.isin(trials, c)], [1, 1]) for c in itertools.combinations("abcd", n)]
        assert expected_hypervolume(points, [n], [1, 1], trials=trials) == pytest.approx([np.mean(areas)])
    assert expected_hypervolume(points, [4], [1, 1], trials=trials) == pytest.approx([hypervolume(points, [1, 1])])


def test_one_column_that_does_not_matter_is_the_tuning_curve():
    scores, budgets = np.random.default_rng(1).random(9), np.arange(1, 10)
    points = np.column_stack((np.zeros(9), scores))
    areas = expected_hypervolume(points, budgets, [1.0, 0.0], directions=("min", "max"))
    assert areas == pytest.approx(tuning_curve(scores, budgets), abs=1e-12)


def test_trials_without_a_point_count_as_trials():
    points = [[0.5, 0.5], [np.nan, 0.1], [2.0, 0.1]]
    assert expected_hypervolume(points, [1, 3], [1, 1]) == pytest.approx([0.25 / 3, 0.25])
    with pytest.raises(ValueError, match="trials, 3"):
        expected_hypervolume(points, [4], [1, 1])


@pytest.mark.parametrize(("runs", "started", "continued"), [(4, 3, 1), (5, 4, 2), (5, 3, 3), (3, 5, 2), (1, 4, 2)])
@pytest.mark.parametrize("minimize", [False, True])
def test_early_stopping_is_a_count_over_all_draws(runs: int, started: int, continued: int, minimize: bool):
    rng = np.random.default_rng(runs)
    partial = rng.random(runs)
    final = np.round(partial + rng.random(runs), 1)
    sign = -1 if minimize else 1
    best = []
    for draws in itertools.product(range(runs), repeat=started):
        ranked = sorted(draws, key=lambda i: -partial[i])
        best.append(max(final[i] for i in ranked[:continued]))
    found = early_stopping_cdf(sign * partial, sign * final, started, continued, minimize)
    for row in found.to_dict("records"):
        assert row["cdf"] == pytest.approx(np.mean(np.array(best) <= sign * row["score"] + 1e-12), abs=1e-12)
    assert found["probability"].sum() == pytest.approx(1)


@pytest.mark.parametrize(("started", "continued"), [(1100, 500), (3000, 10)])
def test_early_stopping_of_more_trials_than_binomials_fit_in_a_double(started: int, continued: int):
    rng = np.random.default_rng(1)
    partial = rng.random(30)
    final = np.maximum(partial, partial + rng.normal(0, 0.3, 30))
    found = early_stopping_cdf(partial, final, started, continued)
    assert found["probability"].sum() == pytest.approx(1)
    best = []
    for _ in range(300):
        draws = rng.integers(30, size=started)
        best.append(final[draws[np.argsort(-partial[draws])[:continued]]].max())
    assert found["score"] @ found["probability"] == pytest.approx(np.mean(best), abs=5 * np.std(best) / 300**0.5 + 1e-9)


def test_numbers_of_trials_that_are_none_are_refused_in_words():
    for started, continued in ((2.5, 1), (float("inf"), 1), ("3", 1), (3, None)):
        with pytest.raises(ValueError, match="two whole numbers"):
            early_stopping_cdf([0.1], [0.2], started, continued)  # type: ignore[arg-type]
    for n in (float("nan"), float("inf"), "2", [1]):
        with pytest.raises(ValueError, match="from 1 to 2"):
            probability_better([1, 2], [3, 4], n)  # type: ignore[arg-type]


def test_without_stopping_it_is_the_biased_tuning_curve():
    scores = np.random.default_rng(4).random(12)
    found = early_stopping_cdf(np.zeros(12), scores, 5, 5)
    assert found["score"] @ found["probability"] == pytest.approx(tuning_curve(scores, [5], "biased")[0])


def test_the_jackknife_error_is_that_of_the_curves_without_each_score():
    scores = np.random.default_rng(6).random(8)
    for n in range(1, 8):
        left_out = [tuning_curve(np.delete(scores, j), [n])[0] for j in range(8)]
        expected = np.sqrt(7 / 8 * ((left_out - np.mean(left_out)) ** 2).sum())
        assert tuning_curve_error(scores, [n]) == pytest.approx([expected], abs=1e-12)
    assert np.isnan(tuning_curve_error(scores, [8])).all()
    assert tuning_curve_error(scores, [1]) == pytest.approx([scores.std(ddof=1) / np.sqrt(8)])
