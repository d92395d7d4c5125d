"""Best score over cost: every exact form against all orders or all sequences, and against simulated searches."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.analysis.curves.evp_over_cost import best_within
from greenexp.analysis.curves.over_cost import best_over_cost, curve_over_cost
from greenexp.analysis.curves.renewal import lattice_of, of_subsets, simulated
from greenexp.analysis.curves.tuning_curve import tuning_curve

SCORES = st.one_of(st.integers(0, 4).map(float), st.just(math.nan))
TRIALS = st.lists(st.tuples(SCORES, st.integers(1, 5)), min_size=1, max_size=5)


def of_orders(scores, costs, budget, sign):
    """(P(nothing), mean) over all orders; the search ends at the first trial that no longer fits."""
    return _summary(
        [
            [scores[i] for i, paid in zip(order, np.cumsum([costs[i] for i in order]), strict=True) if paid <= budget]
            for order in itertools.permutations(range(len(scores)))
        ],
        None,
        sign,
    )


def of_sequences(scores, costs, budget, sign):
    """The same over all sequences drawn with replacement, each with its probability."""
    ends, weights = [], []

    def go(left, have, weight):
        for score, cost in zip(scores, costs, strict=True):
            if cost <= left:
                go(left - cost, [*have, score], weight / len(scores))
            else:
                ends.append(have)
                weights.append(weight / len(scores))

    go(budget, [], 1.0)
    return _summary(ends, weights, sign)


def _summary(ends, weights, sign):
    weights = np.ones(len(ends)) / len(ends) if weights is None else np.array(weights)
    best = np.array([max((sign * s for s in end if not math.isnan(s)), default=-math.inf) for end in ends])
    have = best > -math.inf
    mean = sign * (weights[have] @ best[have]) / weights[have].sum() if have.any() else math.nan
    return weights[~have].sum(), mean


@settings(max_examples=60, deadline=None)
@given(TRIALS, st.booleans(), st.sampled_from(["without_replacement", "with_replacement"]), st.data())
def test_exact_curves_are_the_mean_over_all_searches(trials, minimize, estimator, data):
    scores, costs = (list(column) for column in zip(*trials, strict=True))
    budgets = data.draw(st.lists(st.integers(0, min(sum(costs), 7)), min_size=1, max_size=3))
    found = curve_over_cost(scores, costs, budgets, minimize, estimator=estimator)
    assert found.distribution.method in {"lattice", "equal_costs"}
    assert found.distribution.probability.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    brute = of_orders if estimator == "without_replacement" else of_sequences
    for row in found.table.to_dict("records"):
        nothing, mean = brute(scores, costs, row["budget"], -1 if minimize else 1)
        assert row["nothing_finished"] == pytest.approx(nothing, abs=1e-12)
        assert row["best"] == pytest.approx(mean, abs=1e-12, nan_ok=True)
        assert row["standard_error"] == 0


@settings(max_examples=30, deadline=None)
@given(TRIALS, st.data())
def test_sets_and_lattice_agree_and_costs_may_be_of_any_kind(trials, data):
    scores, costs = (np.array(column, dtype=float) for column in zip(*trials, strict=True))
    budgets = np.array(data.draw(st.lists(st.floats(0, costs.sum()), min_size=1, max_size=3)))
    found = best_over_cost(scores, costs, budgets)
    ranks = np.array([0 if math.isnan(s) else 1 + list(found.scores).index(s) for s in scores])
    assert of_subsets(ranks, costs, budgets) == pytest.approx(found.probability, abs=1e-12)


def test_costs_without_a_common_unit_are_summed_over_sets_or_simulated():
    rng = np.random.default_rng(0)
    scores, costs = rng.random(7), rng.random(7) + 0.1
    budgets = np.linspace(0.2, costs.sum(), 5)
    exact = curve_over_cost(scores, costs, budgets)
    assert exact.distribution.method == "all_subsets"
    for budget, mean, nothing in zip(budgets, exact.table["best"], exact.table["nothing_finished"], strict=True):
        assert (nothing, mean) == pytest.approx(of_orders(scores, costs, budget, 1), abs=1e-9)
    ranks = np.searchsorted(exact.distribution.scores, scores) + 1
    drawn = simulated(ranks, costs, budgets, False, 4000, rng)
    assert drawn == pytest.approx(exact.distribution.probability, abs=5 * 0.5 / math.sqrt(4000))
    with pytest.raises(ValueError, match="give rng"):
        curve_over_cost(scores, costs, budgets, estimator="with_replacement")


@pytest.mark.parametrize("statistic", ["mean", "median", 0.9])
@pytest.mark.parametrize("estimator", ["without_replacement", "with_replacement"])
def test_simulation_and_its_standard_error_agree_with_the_exact_curve(statistic, estimator):
    rng = np.random.default_rng(1)
    scores, steps = rng.random(40), rng.integers(1, 6, 40)
    scores[:4] = math.nan
    off = steps * math.pi + rng.random(40) * 1e-6  # no lattice, and no sum near a budget
    budgets = np.array([4.5, 6.5, 15.5]) * math.pi
    exact = curve_over_cost(scores, steps, budgets / math.pi, estimator=estimator, statistic=statistic)
    drawn = curve_over_cost(scores, off, budgets, False, rng, estimator=estimator, statistic=statistic, orders=3000)
    assert (exact.distribution.orders, drawn.distribution.orders) == (0, 3000)
    assert (drawn.table["standard_error"] > 0).all() or statistic != "mean"
    # A quantile is a step function; where it sits on a step's edge, its error is about the height of a step.
    step = 0.0 if statistic == "mean" else np.diff(np.sort(scores[4:])).max()
    assert (abs(drawn.table["best"] - exact.table["best"]) <= 5 * drawn.table["standard_error"] + step).all()
    assert "simulated" in drawn.label
    assert "lattice of 1" in exact.label


@pytest.mark.parametrize("minimize", [False, True])
def test_equal_costs_give_the_curves_over_trials(minimize):
    scores, budgets = np.random.default_rng(2).random(30), np.array([1 / 3, 1.0, 1.4, 10.0])
    sizes = [1, 3, 4, 30]
    for estimator, kind in (("without_replacement", "unbiased"), ("with_replacement", "biased")):
        found = curve_over_cost(scores, np.full(30, 1 / 3), budgets, minimize, estimator=estimator)
        exact = tuning_curve(scores, sizes, kind, minimize)
        assert found.table["best"].to_numpy() == pytest.approx(exact, abs=1e-12)
    for level in (0.5, 0.9):
        found = curve_over_cost(
            scores, np.full(30, 1 / 3), budgets, minimize, estimator="with_replacement", statistic=level
        )
        assert found.table["best"].tolist() == tuning_curve(scores, sizes, level, minimize).tolist()


def test_a_crash_costs_and_scores_nothing():
    found = curve_over_cost([math.nan, 1.0], [1.0, 1.0], [0.5, 1.0, 2.0]).table
    assert found["nothing_finished"].tolist() == [1.0, 0.5, 0.0]
    assert found["best"].tolist() == pytest.approx([math.nan, 1.0, 1.0], nan_ok=True)
    median = curve_over_cost([math.nan, 1.0, 2.0], [1.0] * 3, [1.0, 2.0], True, statistic="median").table["best"]
    assert median.tolist() == [2.0, 1.0]
    assert np.isnan(curve_over_cost([math.nan], [1.0], [1.0]).table["best"]).all()


def test_the_existing_replay_is_the_same_curve():
    rng = np.random.default_rng(3)
    scores, costs = rng.random(12), rng.integers(1, 5, 12).astype(float)
    budgets = np.linspace(1, costs.sum(), 6)
    exact = curve_over_cost(scores, costs, budgets).table
    mean, nothing = best_within(scores, costs, budgets, minimize=False, rng=rng)
    assert mean == pytest.approx(exact["best"].to_numpy(), abs=0.03)
    assert nothing == pytest.approx(exact["nothing_finished"].to_numpy(), abs=0.06)
    assert exact["best"].iloc[-1] == pytest.approx(scores.max(), abs=1e-12)


def test_n_times_the_mean_cost_overstates_what_little_money_buys():
    """Of two trials the good one is dear: 2 is the mean cost, and buys the bad one alone."""
    claimed = curve_over_cost([0.0, 1.0], [1.0, 3.0], [2.0], estimator="mean_cost")
    assert claimed.table["best"].tolist() == [0.5]
    for estimator in ("without_replacement", "with_replacement"):
        assert curve_over_cost([0.0, 1.0], [1.0, 3.0], [2.0], estimator=estimator).table["best"].tolist() == [0.0]


def test_units_that_costs_share():
    assert lattice_of(np.array([3600.0, 5400.0])) == 1800
    assert lattice_of(np.array([0.25, 0.4])) == pytest.approx(0.05)
    assert lattice_of(np.array([2.0, 3.0]) / 7) == pytest.approx(1 / 7)
    assert math.isnan(lattice_of(np.array([1.0, math.pi])))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (([1.0], [0.0], [1.0]), "above 0"),
        (([math.inf], [1.0], [1.0]), "NaN"),
        (([1.0, 2.0], [1.0, 1.0], [2.1]), "all trials"),
        (([1.0], [1.0], [math.nan]), "budgets must be"),
    ],
)
def test_curves_that_cannot_be_are_refused(arguments, reason):
    with pytest.raises(ValueError, match=reason):
        curve_over_cost(*arguments)
    with pytest.raises(ValueError, match="'with_replacement'"):
        curve_over_cost([1.0], [1.0], [1.0], estimator="with_replacment")
    with pytest.raises(ValueError, match="statistic must be"):
        curve_over_cost([1.0], [1.0], [1.0], statistic="unbiased")
