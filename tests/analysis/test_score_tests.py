"""Tests, effect sizes and almost-stochastic order against scipy and against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from greenexp.analysis.comparing.score_distribution import distribution_table, quantile_table
from greenexp.analysis.comparing.score_tests import bonferroni, compare_scores, score_difference, score_tests
from greenexp.analysis.comparing.stochastic_order import almost_stochastic_order, violation_ratio
from greenexp.analysis.curves.bands import confidence_band

FEW = st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=7)


def the_rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("sizes", [(4, 6), (12, 15)])
def test_unpaired_against_scipy(sizes):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.8, 1, sizes[0]), rng.normal(0, 2, sizes[1])
    p = score_tests(a, b, the_rng()).set_index("test")["p"]
    assert p["welch"] == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert p["mann_whitney"] == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)
    assert p["brunner_munzel"] == pytest.approx(stats.brunnermunzel(a, b).pvalue)
    difference = lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis)  # noqa: E731
    oracle = stats.permutation_test((a, b), difference, n_resamples=5_000, vectorized=True)
    # scipy doubles the smaller tail, here both tails are counted; alike up to the skewness and the draws.
    assert p["permutation"] == pytest.approx(oracle.pvalue, abs=0.06)


def test_paired_against_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.5, 1, 9), rng.normal(0, 1, 9)
    p = score_tests(a, b, the_rng(), paired=True).set_index("test")["p"]
    assert p["paired_t"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert p["wilcoxon"] == pytest.approx(stats.wilcoxon(a - b, method="exact").pvalue)
    mean = lambda x, axis: x.mean(axis=axis)  # noqa: E731
    oracle = stats.permutation_test((a - b,), mean, permutation_type="samples", n_resamples=np.inf, vectorized=True)
    assert p["sign_flip"] == pytest.approx(oracle.pvalue)


@settings(max_examples=40, deadline=None)
@given(FEW, FEW)
def test_permutation_counts_all_ways(a, b):
    pooled, extreme, ways = np.array(a + b), 0, 0
    seen = abs(np.mean(a) - np.mean(b))
    for chosen in itertools.combinations(range(pooled.size), len(a)):
        rest = np.setdiff1d(np.arange(pooled.size), chosen)
        extreme += abs(pooled[list(chosen)].mean() - pooled[rest].mean()) >= seen - 1e-9
        ways += 1
    found = score_tests(a, b, the_rng()).set_index("test")
    assert found["p"]["permutation"] == pytest.approx(extreme / ways)
    assert found["p"]["permutation"] >= found["least_p"]["permutation"] - 1e-12
    swapped = score_tests(b, a, the_rng()).set_index("test")["p"]
    assert swapped.to_numpy() == pytest.approx(found["p"].to_numpy(), nan_ok=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=7))
def test_sign_flips_count_all_signs(pairs):
    a, b = np.array(pairs, dtype=float).T
    signs = np.array(list(itertools.product([1, -1], repeat=a.size)))
    sums = np.abs(signs @ (a - b))
    found = score_tests(a, b, the_rng(), paired=True).set_index("test")["p"]["sign_flip"]
    assert found == pytest.approx((sums >= abs((a - b).sum()) - 1e-9).mean())


def test_least_p_is_reached_by_separated_scores():
    for n in (3, 4, 5):
        apart = score_tests(np.arange(n) + 10.0, np.arange(n) / 7, the_rng()).set_index("test")
        for name in ("mann_whitney", "permutation"):
            assert apart["p"][name] == pytest.approx(apart["least_p"][name])
            assert apart["p"][name] == pytest.approx(2 / math.comb(2 * n, n))
        assert np.isnan(apart["p"]["brunner_munzel"])
        assert "do not overlap" in apart["method"]["brunner_munzel"]
        pairs = score_tests(np.arange(n) + 10.0, np.arange(n) ** 2 / 7.3, the_rng(), paired=True).set_index("test")
        assert pairs["p"]["sign_flip"] == pytest.approx(2 / 2**n)
        assert pairs["p"]["wilcoxon"] == pytest.approx(pairs["least_p"]["wilcoxon"])


def test_random_ways_are_a_valid_test():
    rng = np.random.default_rng(3)
    found = [
        score_tests(rng.normal(size=12), rng.normal(size=12), rng, permutations=99).set_index("test")["p"][
            "permutation"
        ]
        for _ in range(150)
    ]
    assert min(found) >= 0.01
    assert stats.binom.sf(np.sum(np.array(found) <= 0.1) - 1, 150, 0.1) > 1e-4


def test_scores_that_do_not_vary():
    with np.errstate(all="raise"):
        found = score_tests([1, 1, 1], [1, 1, 1], the_rng()).set_index("test")
        pairs = score_tests([1, 1, 1], [1, 1, 1], the_rng(), paired=True).set_index("test")
    assert found["p"][["mann_whitney", "permutation"]].tolist() == [1, 1]
    assert pairs["p"][["wilcoxon", "sign_flip"]].tolist() == [1, 1]
    assert np.isnan([found["p"]["welch"], found["p"]["brunner_munzel"], pairs["p"]["paired_t"]]).all()
    difference = score_difference([1, 1], [0, 0])
    assert difference.mean == 1
    assert np.isnan([difference.lower, difference.upper, difference.d]).all()


def test_effect_sizes_by_hand_and_by_scipy():
    a, b = [3.0, 5.0, 4.0], [1.0, 3.0, 2.0, 2.0]
    found = score_difference(a, b)
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (found.mean, found.lower, found.upper) == pytest.approx((2.0, interval.low, interval.high))
    assert found.d == pytest.approx(2 / np.sqrt((2 * 1 + 3 * (2 / 3)) / 5) * (1 - 3 / 19))
    assert found.superiority == pytest.approx((12 - 0.5) / 12)
    assert score_difference(a, b, minimize=True).superiority == pytest.approx(0.5 / 12)
    pairs = score_difference(a, b[:3], paired=True)
    interval = stats.ttest_rel(a, b[:3]).confidence_interval(0.95) if np.ptp(np.subtract(a, b[:3])) else None
    assert interval is None
    assert np.isnan(pairs.lower)


def test_several_methods():
    rng = np.random.default_rng(4)
    methods = {name: rng.normal(shift, 1, 6) for name, shift in (("a", 0), ("b", 3), ("c", 0.2))}
    table = compare_scores(methods, the_rng())
    assert list(zip(table["a"], table["b"], strict=True)) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table["p_bonferroni"].tolist() == pytest.approx(bonferroni(table["p"]).tolist())
    assert (table["p"] <= table["p_holm"]).all()
    assert (table["p_holm"] <= table["p_bonferroni"]).all()
    assert table["epsilon_min_reverse"][0] < 0.1 < table["epsilon_min"][0]
    apart = compare_scores({"a": [1.0, 2.0], "b": [3.0, 4.0], "c": [1.5, 3.5]}, the_rng(), "brunner_munzel")
    assert np.isnan(apart["p_holm"][0])
    assert apart["p_holm"][1] == pytest.approx(min(1, 2 * apart["p"][1]))


def test_refusals():
    for call, message in (
        (lambda: score_tests([1], [1, 2], the_rng()), "at least two numbers"),
        (lambda: score_tests([1, 2, 3], [1, 2], the_rng(), paired=True), "as many of each"),
        (lambda: score_tests([1, np.nan], [1, 2], the_rng()), "finite"),
        (lambda: score_tests([1, 2], [1, 3], the_rng(), permutations=0), "one permutation"),
        (lambda: compare_scores({"a": [1, 2]}, the_rng()), "two methods"),
        (lambda: compare_scores({"a": [1, 2], "b": [1, 2]}, the_rng(), "welsh"), "'welch'"),
        (lambda: bonferroni([2.0]), "0 to 1"),
        (lambda: almost_stochastic_order([1], [1, 2], the_rng()), "2 scores"),
        (lambda: violation_ratio([], [1]), "at least one"),
        (lambda: quantile_table({"a": [1, 2]}, [0.0]), "above 0"),
        (lambda: distribution_table({}), "at least one"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@settings(max_examples=60, deadline=None)
@given(FEW, FEW)
def test_violation_ratio_is_the_integral(a, b):
    steps = math.lcm(len(a), len(b))
    t = (np.arange(steps) + 0.5) / steps  # both quantile functions are constant on each piece
    first, second = (np.sort(s)[np.floor(t * len(s)).astype(int)] for s in (a, b))
    squares = (first - second) ** 2
    expected = squares[first < second].sum() / squares.sum() if squares.sum() else 0.5
    assert violation_ratio(a, b) == pytest.approx(expected, abs=1e-12)
    assert violation_ratio(a, b) + violation_ratio(b, a) == pytest.approx(1)
    assert violation_ratio(a, b) == pytest.approx(violation_ratio(b, a, minimize=True))
    assert violation_ratio(np.array(a) + 10, b) == 0
    assert violation_ratio(np.array(a) * 1e-200, np.array(b) * 1e-200) == pytest.approx(expected, abs=1e-9)


def test_almost_stochastic_order_bounds_the_ratio():
    rng = np.random.default_rng(5)
    a, b = rng.normal(0.3, 1, 30), rng.normal(0, 1.3, 25)
    found = almost_stochastic_order(a, b, the_rng())
    again = almost_stochastic_order(a, b, the_rng(), confidence=0.99)
    draws = np.random.default_rng(6)
    ratios = [violation_ratio(draws.choice(a, 30), draws.choice(b, 25)) for _ in range(1500)]
    assert found.epsilon == violation_ratio(a, b)
    assert found.standard_deviation == pytest.approx(np.std(ratios), rel=0.15)
    assert found.epsilon_min == pytest.approx(found.epsilon + stats.norm.ppf(0.95) * found.standard_deviation)
    assert again.epsilon_min > found.epsilon_min
    assert almost_stochastic_order(b, a, the_rng()).epsilon_min > 0.5
    assert almost_stochastic_order([2, 3], [0, 1], the_rng()).epsilon_min == 0


def test_distributions_side_by_side():
    rng = np.random.default_rng(7)
    methods = {"a": rng.random(30), "b": rng.random(8)}
    table = distribution_table(methods, support=(0, 1))
    assert table.groupby("group").size().to_dict() == {"a": 31, "b": 9}
    found = quantile_table(methods, [0.1, 0.5, 1.0], support=(0, 1))
    for name, scores in methods.items():
        rows = found[found["group"] == name]
        expected = np.quantile(scores, [0.1, 0.5, 1.0], method="inverted_cdf")
        assert rows["score"].tolist() == pytest.approx(expected.tolist())
        low, high = confidence_band(scores, support=(0, 1)).quantile([0.1, 0.5, 1.0])
        assert (rows["lower"].tolist(), rows["upper"].tolist()) == (low.tolist(), high.tolist())
        assert rows["mean"].iloc[0] == pytest.approx(scores.mean())


def test_a_pair_without_a_defined_test_counts_in_the_corrections():
    methods = {"a": [1.0, 2.0, 3.0, 4.0], "b": [2.5, 3.5, 4.5, 5.5], "c": [11.0, 12.0, 13.0, 14.0]}
    table = compare_scores(methods, np.random.default_rng(0), test="brunner_munzel")
    assert table["p"].isna().tolist() == [False, True, True]
    assert table["p_holm"][0] == table["p_bonferroni"][0] == pytest.approx(min(1, 3 * table["p"][0]))
    assert table["p_holm"][1:].isna().all()
