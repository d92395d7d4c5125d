"""Scores that are equal but for the last digit are equal: no test finds anything in rounding."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from greenexp.analysis.comparing.paired_comparisons import compare_paired, pooled_noise
from greenexp.analysis.comparing.pairwise import compare_pairwise
from greenexp.analysis.comparing.score_tests import score_difference, score_tests
from greenexp.analysis.comparing.stochastic_order import violation_ratio
from greenexp.analysis.numbers.rounding import in_steps, unless_rounding
from greenexp.analysis.seeds.paired import paired_difference
from greenexp.analysis.seeds.seed_noise import seed_noise
from greenexp.analysis.seeds.variance import variance_split

# Shares of right answers of six exits on 1,101 examples, for two seeds: A has four more right answers with both.
A, B = np.array([5201, 5187]) / 6606, np.array([5197, 5183]) / 6606
TENTHS = np.full(3, 0.1)


def the_rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_these_examples_are_what_they_should_be() -> None:
    assert 0 < (A - B).std(ddof=1) < 1e-15
    assert 0 < TENTHS.std(ddof=1) < 1e-15


def test_equal_differences_prove_nothing() -> None:
    scores = {"a": pd.Series(A), "b": pd.Series(B)}
    row = compare_paired(scores, [("a", "b")], the_rng(), margin=0.1).iloc[0]
    assert row["difference"] == pytest.approx(4 / 6606)
    assert row["finding"] == "not resolved"
    assert row[["error", "lower", "upper", "p", "p_same", "detectable"]].isna().all()
    assert pooled_noise(scores).sd == 0
    found = score_difference(A, B, paired=True)
    assert math.isnan(found.lower)
    tests = score_tests(A, B, the_rng(), paired=True).set_index("test")
    assert math.isnan(tests["p"]["paired_t"])
    assert "do not vary" in tests["method"]["paired_t"]
    trials = pd.DataFrame({
        "trial": list("abcd"), "configuration": ["c000", "c000", "c001", "c001"], "fold": -1,
        "initialisation_seed": [0, 1, 0, 1], "order_seed": [0, 1, 0, 1], "score": [*A, *B],
    })  # fmt: skip
    assert math.isnan(paired_difference(trials, "c000", "c001").error)


def test_two_methods_that_always_give_one_score_cannot_be_told_apart_by_a_t_test() -> None:
    tests = score_tests(TENTHS, 3 * TENTHS, the_rng()).set_index("test")
    assert math.isnan(tests["p"]["welch"])
    found = score_difference(TENTHS, 3 * TENTHS)
    assert math.isnan(found.d)
    assert math.isnan(found.upper)


def test_ties_are_ties_for_ranks_and_signs() -> None:
    a, b = np.array([0.1 + 0.2, 0.5, 0.6, 0.7]), np.array([0.3, 0.4, 0.2, 0.1])
    assert a[0] > b[0]
    tests = score_tests(a, b, the_rng()).set_index("test")
    exact = stats.mannwhitneyu([3, 5, 6, 7], [3, 4, 2, 1], method="asymptotic")
    assert tests["p"]["mann_whitney"] == pytest.approx(exact.pvalue)
    assert "ties" in tests["method"]["mann_whitney"]
    paired = score_tests(a, b, the_rng(), paired=True).set_index("test")
    assert "ties" in paired["method"]["wilcoxon"]
    a, b = a[:1].repeat(2), b[:1].repeat(2)
    assert score_difference(a, b).superiority == 0.5
    assert violation_ratio(a, b) == violation_ratio(b, a) == 0.5
    assert compare_pairwise({"a": a, "b": b}, [1, 2], the_rng())["probability_better"].tolist() == [0.5, 0.5]


def test_a_run_that_diverged_makes_no_ties_of_the_others() -> None:
    a, b = np.array([0.61, 0.62, 1e9]), np.array([0.63, 0.64, 0.65])
    tests = score_tests(a, b, the_rng()).set_index("test")
    assert tests["p"]["mann_whitney"] == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)
    assert score_difference(a, b).superiority == pytest.approx(1 / 3)
    paired = score_tests(a, b[::-1], the_rng(), paired=True).set_index("test")
    assert paired["p"]["wilcoxon"] == pytest.approx(stats.wilcoxon(a, b[::-1], method="exact").pvalue)


def test_equal_scores_have_no_variance_to_share_out() -> None:
    rows = [(c, i, 0.1) for c in range(3) for i in range(3)]
    trials = pd.DataFrame(rows, columns=["configuration", "initialisation_seed", "score"]).assign(order_seed=0)
    for shared in (False, True):
        split = variance_split(trials, ("initialisation_seed",), shared_seeds=shared)
        assert (split.table["estimate"] == 0).all()
    noise = seed_noise(split)
    assert math.isnan(noise.share)
    assert noise.probability_of_lead(0.0) == 0.5


def test_what_varies_stays_as_it_is() -> None:
    rng = the_rng()
    for scale in (1e-6, 1.0, 1e6):
        values = scale * rng.normal(1, 1e-6, 50)
        spread = float(values.std(ddof=1))
        assert unless_rounding(spread, values) == spread
        assert (stats.rankdata(in_steps(values, values)) == stats.rankdata(values)).all()
    assert in_steps([0.0, 0.0], [0.0]).tolist() == [0.0, 0.0]
    assert unless_rounding(0.0, [0.0]) == 0.0
    assert math.isnan(unless_rounding(math.nan, [1.0]))
    assert unless_rounding(1e-17, [math.nan, 1.0]) == 0.0
