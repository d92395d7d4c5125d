"""What it takes to reach a target, against series and simulation; extrapolation on tails that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opda.parametric import NoisyQuadraticDistribution
from scipy import stats
from told import tells

from greenexp.analysis.curves.extrapolate import extrapolate
from greenexp.analysis.curves.over_cost import curve_over_cost
from greenexp.analysis.curves.tail import fit_tail
from greenexp.analysis.curves.target import budget_to_reach, probability_to_reach


def test_trials_to_a_target_are_geometric_with_an_exact_interval():
    scores = np.arange(20) / 20
    found = budget_to_reach(scores, 0.75)
    interval = stats.binomtest(5, 20).proportion_ci(0.95, "exact")
    assert (found.hits, found.share) == (5, 0.25)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high))
    mean, median, most = found.table.to_dict("records")
    assert mean["trials"] == 4
    assert (mean["trials_lower"], mean["trials_upper"]) == pytest.approx((1 / found.upper, 1 / found.lower))
    assert (median["trials"], most["trials"]) == (3, 9)  # 1 - .75^3 = .578, 1 - .75^9 = .925
    assert found.table[["cost", "cost_lower", "cost_upper"]].isna().all(axis=None)
    assert math.isnan(found.at_least_cost)
    assert budget_to_reach(-scores, -0.75, minimize=True).table.equals(found.table)
    reach = probability_to_reach(scores, 0.75, [0, 1, 3, 9.5])
    assert reach["probability"].tolist() == pytest.approx([0, 0.25, 1 - 0.75**3, 1 - 0.75**9])
    assert reach["lower"].tolist() == pytest.approx([1 - (1 - found.lower) ** n for n in (0, 1, 3, 9)])


def test_a_target_not_reached_has_a_bound_and_no_estimate():
    found = budget_to_reach([0.1, math.nan, 0.3], 0.5, costs=[1, 2, 3])
    highest = 1 - 0.05 ** (1 / 3)
    assert found.hits == 0
    assert found.at_least_trials == pytest.approx(1 / highest)
    assert found.at_least_cost == pytest.approx(2 / highest)
    assert found.table[["trials", "cost"]].isna().all(axis=None)
    assert np.isinf(found.table[["trials_upper", "cost_upper"]].to_numpy()).all()
    assert tells(found.summary, "3 trials … 1.58 trials")
    many = budget_to_reach(np.zeros(1000), 1.0).at_least_trials
    assert many == pytest.approx(1000 / 3, rel=4e-3)  # the rule of three
    always = budget_to_reach([1.0, 1.0], 1.0, costs=[1, 2])
    assert always.table["trials"].tolist() == [1, 1, 1]
    assert always.at_least_trials == 1
    assert always.table["cost"].tolist() == [1.5, 1, 2]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), min_size=2, max_size=8), st.integers(0, 25))
def test_cost_to_a_target_is_the_curve_over_cost(trials, budget):
    """The same process as `curve_over_cost` with replacement, by another route."""
    scores, costs = (np.array(column, dtype=float) for column in zip(*trials, strict=True))
    within = min(budget, costs.sum())
    expected = curve_over_cost(scores, costs, [within], estimator="with_replacement").distribution.reaching(1.0)
    found = probability_to_reach(scores, 1.0, [within], costs)
    assert found["probability"].to_numpy() == pytest.approx(expected, abs=1e-12)
    assert (found["lower"] <= found["probability"] + 1e-12).all()
    assert (found["probability"] <= found["upper"] + 1e-12).all()


@pytest.mark.parametrize("lattice", [True, False])
def test_cost_to_a_target_is_that_of_simulated_searches(lattice):
    rng = np.random.default_rng(0)
    hit = rng.random(60) < 0.15
    costs = rng.integers(1, 9, 60) / 4 if lattice else rng.lognormal(0, 0.7, 60)
    costs[hit] += 1
    found = budget_to_reach(hit, 1.0, costs)
    draws = rng.integers(60, size=(20000, 120))
    assert hit[draws].any(axis=1).all()
    first = hit[draws].argmax(axis=1)
    paid = np.take_along_axis(np.cumsum(costs[draws], axis=1), first[:, None], axis=1)[:, 0]
    mean, median, most = found.table["cost"]
    assert mean == pytest.approx(costs.mean() / hit.mean())
    assert mean == pytest.approx(paid.mean(), abs=5 * paid.std() / math.sqrt(paid.size))
    for value, share in ((median, 0.5), (most, 0.9)):
        assert (paid <= value + 1e-9).mean() >= share - 0.012
        assert (paid < value - 1e-9).mean() <= share + 0.012
    reach = probability_to_reach(hit, 1.0, [median, most], costs)
    assert (reach["probability"] >= np.array([0.5, 0.9]) - 1e-3).all()


def test_rare_targets_take_no_longer_to_compute():
    scores, costs = np.zeros(20000), np.random.default_rng(1).lognormal(3, 1, 20000)
    scores[0] = 1
    found = budget_to_reach(scores, 1.0, costs)
    mean, median, most = found.table["cost"]
    # A geometric sum of many terms is nearly exponential.
    assert [median, most] == pytest.approx([mean * math.log(2), mean * math.log(10)], rel=1e-3)
    assert np.isfinite(found.table.iloc[:, 1:].to_numpy()).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scores": []}, "at least one number"),
        ({"target": math.nan}, "target"),
        ({"confidence": 1.0}, "confidence"),
        ({"costs": [1.0, 0.0]}, "above 0"),
        ({"shares": (1.0,)}, "shares"),
    ],
)
def test_targets_that_make_no_sense_are_refused(change, reason):
    with pytest.raises(ValueError, match=reason):
        budget_to_reach(**{"scores": [1.0, 2.0], "target": 1.5, **change})
    with pytest.raises(ValueError, match="none below 0"):
        probability_to_reach([1.0], 1.0, [-1])


@pytest.mark.parametrize("exponent", [1.0, 2.0, 4.0])
def test_the_tail_finds_an_end_that_is_there(exponent):
    rng = np.random.default_rng(2)
    scores = 0.9 - 0.2 * rng.random(4000) ** (1 / exponent)
    tail = fit_tail(scores, "bounded", 0.5, math.inf, rng)
    assert tail.parameters["end"] == pytest.approx(0.9, abs=0.012)
    assert tail.parameters["exponent"] == pytest.approx(exponent, rel=0.25)
    levels = np.array([0.1, 0.5**0.001, 0.5**0.0001])
    exact = 0.9 - 0.2 * (1 - levels) ** (1 / exponent)
    assert tail.quantile(levels)[1:] == pytest.approx(exact[1:], abs=0.006)
    assert np.isnan(tail.quantile(levels)[0])


def test_extrapolation_is_labelled_and_comes_with_its_back_test():
    rng = np.random.default_rng(0)
    scores = 0.9 - 0.3 * rng.random(200)
    found = extrapolate(scores, [50, 200, 600], rng, support=(0, 1), repeats=15)
    assert found.table["extrapolated"].tolist() == [False, False, True]
    assert (found.table["back_test_error"] == found.rms_error).all()
    assert found.back_test[["fitted_on", "budget"]].drop_duplicates().to_numpy().tolist() == [[50, 150]]
    assert found.tested_factor == 3
    truth = 0.9 - 0.3 * (1 - 0.5 ** (1 / 600))
    assert found.table["best"].iloc[-1] == pytest.approx(truth, abs=0.002)
    assert found.rms_error < found.rms_error_without
    assert tells(found.summary, "50 trials … 150")
    turned = extrapolate(-scores, [50, 200, 600], np.random.default_rng(4), support=(-1, 0), minimize=True)
    same = extrapolate(scores, [50, 200, 600], np.random.default_rng(4), support=(0, 1))
    assert turned.table["best"].to_numpy() == pytest.approx(-same.table["best"].to_numpy())
    assert turned.bias == pytest.approx(-same.bias)


def test_what_cannot_be_extrapolated_is_refused():
    scores, rng = np.random.default_rng(5).random(60), np.random.default_rng(0)
    for arguments, options, reason in (
        ((scores[:47], [100]), {}, "at least 48"),
        ((scores, [59]), {}, "60"),
        ((scores, [100]), {"estimator": "unbiased"}, "only quantiles"),
        ((scores, [100]), {"model": "bounde"}, "'bounded'"),
        ((scores, [100]), {"support": (0, 0.5)}, "support"),
        ((np.round(scores), [100]), {}, "few"),
        ((scores, [100]), {"support": (0, scores.max())}, "greatest"),
    ):
        with pytest.raises(ValueError, match=reason):
            extrapolate(*arguments, rng, **options)


def test_more_trials_than_can_be_tested_are_tested_as_far_as_possible():
    scores = np.random.default_rng(6).random(60)
    found = extrapolate(scores, [6000], np.random.default_rng(0), repeats=3)
    assert found.tested_factor == 36 / 24


@pytest.mark.slow
def test_the_model_with_noise_finds_the_quantile_its_scores_were_drawn_from():
    truth = NoisyQuadraticDistribution(0.3, 0.9, 2, 0.01, convex=False)
    scores = truth.sample(400, generator=np.random.default_rng(1))
    tail = fit_tail(scores, "noisy_quadratic", 0.5, 1.0, np.random.default_rng(0))
    rare = np.array([0.5**0.001])
    assert tail.quantile(rare) == pytest.approx(truth.ppf(rare), abs=0.01)
    assert set(tail.parameters) == {"start", "end", "hyperparameters", "noise"}
    assert np.isnan(tail.quantile(np.array([0.1])))


def test_one_very_dear_trial_does_not_blur_what_small_budgets_reach():
    scores, costs = [0.1, 0.5, 0.3, 0.9, 0.2], [1.0, 2.0, 3.0, 4.0, 1e6]
    together = probability_to_reach(scores, 0.5, [0, 1, 2, 5, 10, 1e6], costs)["probability"]
    alone = probability_to_reach(scores, 0.5, [0, 1, 2, 5, 10], costs)["probability"]
    # At once 2, 4; after a miss 1+2, 1+4, 3+2; after two 1+1+2; after three 1+1+1+2.
    within_five = 2 / 5 + 3 / 5**2 + 1 / 5**3 + 1 / 5**4
    assert together[:3].tolist() == [0, 0, pytest.approx(1 / 5)]
    assert together[:5].tolist() == pytest.approx(alone.tolist())
    assert together[3] == pytest.approx(within_five)
    table = budget_to_reach(scores, 0.5, costs).table.set_index("quantity")
    assert table.loc["50 %", "cost"] == 5
    assert (table[["cost", "cost_lower"]] > 0).all(axis=None)
