"""Tuning curves against exact rationals, brute force, the published codes and opda."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import numpy as np
import opda.nonparametric
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.analysis.curves.tuning_curve import ESTIMATORS, maximum_weights, tuning_curve, tuning_curve_std

SCORES = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40)


def exact(scores, n, estimator):
    """The definition, in rationals."""
    ordered, total = sorted(map(Fraction, scores)), len(scores)
    if estimator == "biased":
        weights = [Fraction(i**n - (i - 1) ** n, total**n) for i in range(1, total + 1)]
    else:
        weights = [Fraction(comb(i - 1, n - 1), comb(total, n)) for i in range(1, total + 1)]
    return sum(w * y for w, y in zip(weights, ordered, strict=True))


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("total", [1, 2, 5, 60, 800])
def test_equals_exact_rationals(estimator, total):
    scores = np.random.default_rng(total).normal(size=total)
    for n in {1, min(2, total), (total + 1) // 2, total}:
        assert abs(float(tuning_curve(scores, n, estimator)) - float(exact(scores, n, estimator))) < 1e-12


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_many_scores_stay_finite_and_exact_at_small_budgets(estimator):
    """Where float binomials overflow: the sorted scores 1/N .. N/N have a closed form for U, (n/(n+1)) (N+1)/N."""
    total = 10_000
    curve = tuning_curve(np.arange(1, total + 1) / total, [1, 2, 50, 1000, 9_999], "unbiased")
    n = np.array([1, 2, 50, 1000, 9_999])
    np.testing.assert_allclose(curve, n / (n + 1) * (total + 1) / total, rtol=0, atol=1e-12)
    assert np.isfinite(tuning_curve(np.arange(1, total + 1) / total, n, estimator)).all()


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("name", ["accuracies", "ties", "losses of either sign", "two"])
def test_equals_the_published_codes(reference, name, estimator):
    given = reference("tuning_curves")["curves"][name]
    scores, expected = given["scores"], given[estimator]
    n = np.arange(1, len(scores) + 1)
    mean, std, low = (np.array(expected[field]) for field in ("mean", "standard_deviation", "minimized"))
    np.testing.assert_allclose(tuning_curve(scores, n, estimator), mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(tuning_curve_std(scores, n, estimator), std, rtol=0, atol=1e-7)
    np.testing.assert_allclose(tuning_curve(scores, n, estimator, minimize=True), low, rtol=0, atol=1e-12)


@given(SCORES)
def test_unbiased_is_the_mean_over_all_subsets(scores):
    scores = scores[:7]
    for n in range(1, len(scores) + 1):
        best = [max(subset) for subset in itertools.combinations(scores, n)]
        assert float(tuning_curve(scores, n)) == pytest.approx(np.mean(best), abs=1e-9)
        assert float(tuning_curve_std(scores, n)) == pytest.approx(np.std(best), abs=1e-6)


@given(SCORES)
def test_biased_is_the_mean_over_all_tuples(scores):
    scores = scores[:4]
    for n in range(1, len(scores) + 1):
        best = [max(draw) for draw in itertools.product(scores, repeat=n)]
        assert float(tuning_curve(scores, n, "biased")) == pytest.approx(np.mean(best), abs=1e-9)
        assert float(tuning_curve_std(scores, n, "biased")) == pytest.approx(np.std(best), abs=1e-6)


@given(SCORES, st.sampled_from(ESTIMATORS), st.floats(-100, 100))
def test_monotone_and_equivariant(scores, estimator, shift):
    n = np.arange(1, len(scores) + 1)
    curve = tuning_curve(scores, n, estimator)
    assert (np.diff(curve) >= -1e-9).all()
    np.testing.assert_allclose(tuning_curve(scores[::-1], n, estimator), curve, rtol=0, atol=0)
    np.testing.assert_allclose(tuning_curve(np.array(scores) + shift, n, estimator), curve + shift, atol=1e-9)
    np.testing.assert_allclose(tuning_curve(-np.array(scores), n, estimator, minimize=True), -curve, atol=0)
    assert curve[0] == pytest.approx(np.mean(scores), abs=1e-9)
    assert curve.max() <= max(scores)


@given(SCORES)
def test_unbiased_ends_exactly_at_the_best_score(scores):
    assert float(tuning_curve(scores, len(scores))) == max(scores)
    assert float(tuning_curve_std(scores, len(scores))) == 0.0


def test_equals_opda():
    scores = np.random.default_rng(3).random(200)
    point = opda.nonparametric.EmpiricalDistribution(scores)
    n = np.arange(1, 201)
    np.testing.assert_allclose(tuning_curve(scores, n), point.u_tuning_curve(n), rtol=0, atol=1e-12)
    np.testing.assert_allclose(tuning_curve(scores, n, "biased"), point.v_tuning_curve(n), rtol=0, atol=1e-12)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("total", "n"), [(1, 1), (9, 4), (5000, 3), (5000, 5000)])
def test_weights_add_up_to_one(estimator, total, n):
    weights = maximum_weights(total, n, estimator)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= 0).all()


def test_shape_follows_the_budgets_in_any_order():
    curve = tuning_curve([1.0, 2.0, 4.0], [[3, 1], [1, 2]])
    np.testing.assert_allclose(curve, [[4, 7 / 3], [7 / 3, 10 / 3]])
    assert tuning_curve([1.0], []).shape == (0,)


@pytest.mark.parametrize(
    ("scores", "budgets", "estimator", "message"),
    [
        ([0.1, float("nan")], [1], "unbiased", "1 of 2 scores"),
        ([0.1, float("inf")], [1], "biased", "NaN or infinite"),
        ([], [1], "unbiased", "at least one"),
        ([[1.0]], [1], "unbiased", "shape"),
        ([1.0, 2.0], [3], "unbiased", "between 1.* 2; received 3"),
        ([1.0, 2.0], [3], "biased", "between 1.* 2; received 3"),
        ([1.0, 2.0], [0], "unbiased", "between 1"),
        ([1.0, 2.0], [1.5], "unbiased", "whole numbers"),
        ([1.0, 2.0], [True], "unbiased", "whole numbers"),
        ([1.0, 2.0], [1], "unbias", "'unbiased'"),
    ],
)
def test_refuses(scores, budgets, estimator, message):
    with pytest.raises(ValueError, match=message):
        tuning_curve(scores, budgets, estimator)


def test_a_quantile_that_is_a_share_of_the_scores_is_that_score_in_both_directions():
    scores = np.arange(1.0, 11.0)
    for tenth in range(1, 10):
        for minimize in (False, True):
            assert tuning_curve(scores, [1], tenth / 10, minimize) == tenth
    with pytest.raises(ValueError, match="name"):
        tuning_curve(scores, [1], None)  # type: ignore[arg-type]
