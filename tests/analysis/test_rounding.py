"""Scores that are equal but for the last digit are equal: no test finds anything in rounding."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.comparing.compare import compare_at, compare_over_cost, crossings
from greenexp.analysis.comparing.lead import lead_interval
from greenexp.analysis.comparing.paired_comparisons import compare_paired, pooled_noise
from greenexp.analysis.comparing.pairwise import compare_pairwise
from greenexp.analysis.comparing.score_tests import score_difference, score_tests
from greenexp.analysis.comparing.stochastic_order import violation_ratio
from greenexp.analysis.curves.over_cost import best_over_cost
from greenexp.analysis.curves.target import budget_to_reach, probability_to_reach
from greenexp.analysis.curves.winner import expected_test_of_winner
from greenexp.analysis.fronts.operating_points import cheapest_reaching, cheapest_within
from greenexp.analysis.numbers.rounding import (
    COST_ROUNDING,
    ROUNDING,
    at_least_as_good,
    difference,
    lowered,
    raised,
    tied,
    unless_rounding,
)
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
    assert math.isnan(lead_interval(A - B, scores=[A, B]).error)


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
        assert (tied(values)[0] == values).all()
        assert (difference(values[1:], values[:-1]) == np.diff(values)).all()
    assert tied([0.0, 0.0])[0].tolist() == [0.0, 0.0]
    assert unless_rounding(0.0, [0.0]) == 0.0
    assert math.isnan(unless_rounding(math.nan, [1.0]))
    assert unless_rounding(1e-17, [math.nan, 1.0]) == 0.0


# --- one tolerance for every comparison of scores

OTHER = 0.1 + 0.2  # 0.30000000000000004
"""0.3 but for the last bit."""
THREE = np.array([407, 611, 722]) / 1101
"""Three seeds' scores whose mean depends on their order."""


def means(seeds: np.ndarray) -> tuple[float, float]:
    """The mean of the same seeds in two orders."""
    a, b, c = seeds.tolist()
    return (a + b + c) / 3, (c + b + a) / 3


def test_the_mean_of_three_seeds_depends_on_their_order() -> None:
    assert OTHER != 0.3
    triples = np.random.default_rng(0).integers(0, 1102, (500, 3)) / 1101
    unequal = sum(one != other for one, other in map(means, triples))
    assert 100 < unequal < 170, "27 % of triples"


def test_better_is_not_decided_by_the_last_bit() -> None:
    assert probability_better([OTHER], [0.3], 1) == probability_better([0.3], [OTHER], 1) == 0.5
    assert probability_better([OTHER, 0.1], [0.2, 0.3], 2, minimize=True) == 1.0
    assert probability_better([OTHER, 0.1], [0.1, 0.3], 1) == 0.5


@pytest.mark.parametrize("minimize", [False, True])
def test_means_over_seeds_in_another_order_are_the_same_method(minimize: bool) -> None:
    triples = np.random.default_rng(1).integers(0, 1102, (40, 3)) / 1101
    ours, theirs = (np.array(side) for side in zip(*map(means, triples), strict=True))
    assert (ours != theirs).any()
    for estimator in ("median", "unbiased", "biased"):
        table = compare_at(ours, theirs, range(1, 41), estimator, minimize=minimize, support=(0.0, 1.0))
        assert (table["difference"] == 0).all()
        assert table["probability_better"].to_numpy() == pytest.approx(0.5, abs=1e-14)
        assert set(table["apart_80"]) == {""}
        assert crossings(table, minimize).empty
    assert compare_pairwise({"a": ours, "b": theirs}, [1, 5], the_rng())["p"].tolist() == [1.0, 1.0]


def test_curves_that_meet_but_for_the_last_bit_do_not_cross() -> None:
    """With the last bit of 0.1 + 0.2, A would be ahead at 1, behind at 2 and ahead at 3."""
    a, b = np.array([OTHER, 0.3, 0.3]), np.array([0.3, OTHER, OTHER])
    table = compare_at(a, b, [1, 2, 3], "unbiased")
    assert table["difference"].tolist() == [0.0, 0.0, 0.0]
    assert crossings(table).empty
    costs = np.array([1.0, 2.0, 4.0])
    over_cost = compare_over_cost(a, costs, b, costs, [1.0, 3.0, 7.0])
    assert over_cost["difference"].dropna().tolist() == [0.0, 0.0, 0.0]
    assert over_cost["probability_better"].to_numpy() == pytest.approx(0.5)


def test_equal_winners_on_dev_share_their_test_scores() -> None:
    assert expected_test_of_winner([OTHER, 0.3, 0.1], [0.5, 0.7, 0.9], [3]).tolist() == [0.6]
    assert expected_test_of_winner([OTHER, 0.3, 0.9], [0.5, 0.7, 0.9], [3], minimize=True).tolist() == [0.6]


def test_a_target_is_reached_up_to_the_last_bit() -> None:
    found = budget_to_reach([0.3, OTHER, 0.1, math.nan], OTHER)
    assert (found.hits, found.share) == (2, 0.5)
    assert budget_to_reach([0.3, OTHER, 0.9], 0.3, minimize=True).hits == 2
    assert probability_to_reach([0.3, 0.1], OTHER, [1])["probability"].tolist() == [0.5]
    in_hand = best_over_cost([0.3, 0.1], [1.0, 1.0], [2.0])
    assert in_hand.reaching(OTHER).tolist() == [1.0]


def test_the_cheapest_point_as_good_as_the_best_may_lack_the_last_bit() -> None:
    points = pd.DataFrame({"score": [0.3, OTHER, 0.2], "inference_flops": [1.0, 2.0, 0.5]})
    for row in (cheapest_reaching(points, OTHER, minimize=False), cheapest_within(points, 0.0, minimize=False)):
        assert row is not None
        assert row["inference_flops"] == 1.0


def test_ties_know_no_edges_between_steps() -> None:
    """Rounding to whole steps would tear apart two scores on the two sides of an edge, however near they are."""
    for k in range(1, 2000):
        score = (k + 0.5) * ROUNDING
        one, other = tied([score, np.nextafter(score, 1)], size=1.0)[0]
        assert one == other


def test_ties_are_the_same_for_losses_and_gains() -> None:
    scores = np.array([OTHER, 0.3, -0.3, -OTHER, 1e-17, 0.0, -1e-17, 0.7])
    one, other = tied(scores)[0], tied(-scores)[0]
    assert one.tolist() == [0.3, 0.3, -0.3, -0.3, 0.0, 0.0, 0.0, 0.7]
    assert (one == -other).all()
    again = tied(one, [0.7])
    assert (again[0] == one).all()
    assert again[1].tolist() == [0.7]


def test_scores_that_are_mostly_0_still_tie() -> None:
    assert len(set(tied([0.0, 0.0, 0.0, 0.3, OTHER])[0].tolist())) == 2
    assert difference([0.0, 0.0, 0.3], [0.0, 0.0, OTHER]).tolist() == [0.0, 0.0, 0.0]


def test_what_is_not_finite_is_left_alone() -> None:
    values = np.array([math.nan, math.inf, -math.inf, 0.3])
    assert np.array_equal(tied(values)[0], values, equal_nan=True)
    assert np.array_equal(
        difference(values, [0.3, 0.3, 0.3, OTHER]), [math.nan, math.inf, -math.inf, 0], equal_nan=True
    )
    assert np.isnan(difference([math.inf], [math.inf])).all()
    assert at_least_as_good(values, 0.3).tolist() == [False, True, False, True]
    assert tied([], [])[0].size == 0


def test_limits_of_costs_and_levels_of_probabilities() -> None:
    assert sum([0.1] * 3) > 0.3
    assert sum([0.1] * 3) <= raised(0.3)
    assert raised(0.3) < 0.3 * (1 + 2 * COST_ROUNDING)
    assert 1 - 0.9 < 0.1
    assert lowered(0.1) <= 1 - 0.9
