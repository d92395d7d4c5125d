"""Attainment and Pareto improvement against moocore and against brute force."""

from __future__ import annotations

import sys

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from greenexp.analysis.comparing.score_tests import score_difference, score_tests
from greenexp.analysis.fronts.attainment import attainment, attainment_probability
from greenexp.analysis.fronts.front_improvement import pareto_improvement, score_at_equal_cost
from greenexp.analysis.fronts.pareto import hypervolume

POINT = st.tuples(st.integers(0, 6), st.integers(0, 6))


def the_rng():
    return np.random.default_rng(0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(POINT, min_size=1, max_size=5), min_size=1, max_size=6))
def test_curves_are_those_of_moocore(fronts):
    points = np.array([point for front in fronts for point in front], dtype=float)
    trials = [k for k, front in enumerate(fronts) for _ in front]
    shares = [(k + 1) / len(fronts) for k in range(len(fronts))]
    found = attainment(points, trials, shares)
    oracle = moocore.eaf(points, np.array(trials) + 1, percentiles=[100 * share for share in shares])
    for k, share in enumerate(shares):
        curve = found[found["level"] == share]
        assert (curve["trials"] == k + 1).all()
        corners = oracle[np.isclose(oracle[:, 2], 100 * share)][:, :2]
        assert curve[["first", "second"]].to_numpy().tolist() == corners[np.argsort(corners[:, 0])].tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(POINT, min_size=1, max_size=4), min_size=2, max_size=5), st.sampled_from([0.25, 0.5, 0.75]))
def test_a_goal_is_below_the_curve_if_enough_trials_attain_it(fronts, level):
    points = np.array([point for front in fronts for point in front], dtype=float)
    trials = [k for k, front in enumerate(fronts) for _ in front]
    curve = attainment(points, trials, [level])[["first", "second"]].to_numpy()
    goals = np.array([(x, y) for x in range(7) for y in range(7)], dtype=float)
    attained = attainment_probability(points, trials, goals)
    enough = attained["attained"].to_numpy() >= np.ceil(level * len(fronts) - 1e-9)
    assert ((curve[None] <= goals[:, None]).all(axis=2).any(axis=1) == enough).all()
    turned = attainment(points * [1, -1], trials, [level], ("min", "max"))[["first", "second"]].to_numpy()
    assert turned.tolist() == (curve * [1, -1]).tolist()


def test_what_was_not_measured_attains_nothing_but_counts():
    points = [[1, 1], [2, np.nan], [3, 3]]
    found = attainment(points, ["a", "b", "c"], [1 / 3, 2 / 3, 1.0])
    assert found[["level", "first"]].to_numpy().tolist() == [[1 / 3, 1], [2 / 3, 3]]
    share = attainment_probability(points, ["a", "b", "c"], [[5, 5]]).iloc[0]
    interval = stats.binomtest(2, 3).proportion_ci(0.95)
    assert (share["share"], share["lower"], share["upper"]) == pytest.approx((2 / 3, interval.low, interval.high))
    assert attainment([[np.nan, 1]], ["a"]).empty
    nowhere = attainment_probability([[np.nan, 1]], ["a"], [[5, 5]]).iloc[0]
    assert (nowhere["share"], nowhere["lower"], nowhere["upper"]) == pytest.approx((0, 0, 0.975))


def fronts_of(rng, seeds, shift=0.0):
    return {seed: rng.random((6, 2)) + shift for seed in seeds}


@pytest.mark.parametrize("paired", [True, False])
def test_improvement_by_definition(paired):
    rng = np.random.default_rng(1)
    a, b = fronts_of(rng, range(4)), fronts_of(rng, range(3, -1, -1), 0.2)
    found = pareto_improvement(a, b, (1.3, 1.3), the_rng(), paired=paired)
    assert len(found.pairs) == (4 if paired else 16)
    for row in found.pairs.itertuples():
        ours, theirs = a[row.seed_a], b[row.seed_b]
        front = theirs[moocore.is_nondominated(theirs)]
        covered = [any((x <= y).all() for x in ours) for y in front]
        assert row.covered == pytest.approx(np.mean(covered))
        assert row.shift == pytest.approx(moocore.epsilon_additive(ours, ref=theirs))
        assert row.shift_reverse == pytest.approx(moocore.epsilon_additive(theirs, ref=ours))
        assert (row.covered == 1) == (row.shift <= 0)
        assert row.improves == (row.covered == 1 and row.covered_reverse < 1)
    volumes = [[hypervolume(side[seed], (1.3, 1.3)) for seed in range(4)] for side in (a, b)]
    expected = score_difference(*volumes, paired=paired)
    assert (found.difference, found.lower, found.upper) == pytest.approx(
        (expected.mean, expected.lower, expected.upper)
    )
    test = "sign_flip" if paired else "permutation"
    assert found.p == score_tests(*volumes, the_rng(), paired).set_index("test")["p"][test]
    assert found.improves == pytest.approx(found.pairs["improves"].mean())


def test_equal_fronts_do_not_improve_and_directions_turn():
    rng = np.random.default_rng(2)
    a = fronts_of(rng, "xyz")
    same = pareto_improvement(a, a, (2, 2), the_rng(), paired=True)
    assert (same.difference, same.covered, same.improves, same.improves_reverse) == (0, 1, 0, 0)
    b = {seed: points + 0.1 for seed, points in a.items()}
    better = pareto_improvement(a, b, (2, 2), the_rng(), paired=True)
    assert (better.improves, better.improves_reverse) == (1, 0)
    assert better.pairs["shift"].to_numpy() == pytest.approx(-0.1)
    scaled = pareto_improvement(a, b, (2, 2), the_rng(), paired=True, scale=(0.1, 0.1))
    assert scaled.pairs["shift"].to_numpy() == pytest.approx(-1)
    turned = [{seed: points * [1, -1] for seed, points in side.items()} for side in (a, b)]
    again = pareto_improvement(*turned, (2, -2), the_rng(), ("min", "max"), paired=True)
    assert again.difference == pytest.approx(better.difference)


def test_score_at_equal_cost():
    a = {1: [[1, 0.5], [2, 0.4], [3, 0.9], [np.nan, 5]], 2: [[2, 0.7], [1, 0.6]]}
    b = {2: [[1, 0.4], [3, 0.5]], 1: [[1.5, 0.3]]}
    found = score_at_equal_cost(a, b, [0.5, 1, 2, 3], the_rng(), paired=True)
    assert found[["seeds_a", "seeds_b"]].to_numpy().tolist() == [[0, 0], [2, 1], [2, 2], [2, 2]]
    assert found["score_a"].tolist() == pytest.approx([np.nan, 0.55, 0.6, 0.8], nan_ok=True)
    assert found["difference"].tolist() == pytest.approx([np.nan, np.nan, 0.25, 0.4], nan_ok=True)
    assert found["p"].tolist() == pytest.approx([np.nan, np.nan, 0.5, 0.5], nan_ok=True)
    assert found["p_holm"].tolist() == pytest.approx([np.nan, np.nan, 1, 1], nan_ok=True)
    lower = score_at_equal_cost(a, b, [3], the_rng(), minimize=True)
    assert lower["score_a"].tolist() == pytest.approx([0.5])


@pytest.mark.parametrize("columns", [1, 3, 4])
def test_hypervolume_in_other_numbers_of_columns(columns):
    points = np.random.default_rng(3).random((12, columns))
    expected = moocore.hypervolume(points, ref=np.ones(columns)) if columns > 1 else 1 - points.min()
    assert hypervolume(points, np.ones(columns)) == pytest.approx(expected)
    rows = np.vstack([points, points[:2], np.full((1, columns), np.nan), np.full((1, columns), 2.0)])
    assert hypervolume(rows, np.ones(columns)) == pytest.approx(expected)
    assert hypervolume(-rows, -np.ones(columns), "max") == pytest.approx(expected)


def test_without_moocore_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "moocore", None)
    with pytest.raises(ValueError, match=r"3 columns.*moocore"):
        hypervolume([[0, 0, 0]], (1, 1, 1))
    assert hypervolume([[0, 0]], (1, 1)) == 1


def test_refusals_of_fronts():
    rng, a = np.random.default_rng(4), {1: [[0.0, 1.0]], 2: [[1.0, 0.0]]}
    for call, message in (
        (lambda: attainment([[1, 2, 3]], ["a"]), "2 columns"),
        (lambda: attainment([[1, 2]], []), "at least one"),
        (lambda: attainment([[1, 2]], ["a"], [0.0]), "levels"),
        (lambda: attainment_probability([[1, 2]], ["a"], [[1]]), "goals"),
        (lambda: pareto_improvement(a, {1: [[0, 1]]}, (2, 2), rng), "two seeds"),
        (
            lambda: pareto_improvement(a, {1: [[0, 1]], 3: [[0, 1]]}, (2, 2), rng, paired=True),
            "has 2, 3",
        ),
        (lambda: pareto_improvement(a, {1: [[0, 1]], 2: [[np.nan, 1]]}, (2, 2), rng), "seed 2"),
        (lambda: pareto_improvement(a, a, (2, 2), rng, scale=(1, 0)), "scale"),
        (lambda: pareto_improvement(a, {1: [[0, 1, 2]], 2: [[0, 1, 2]]}, (2, 2), rng), "3 finite numbers|columns"),
        (lambda: score_at_equal_cost(a, a, [], rng), "at least one cost"),
        (lambda: score_at_equal_cost(a, {3: [[0, 1]], 4: [[0, 1]]}, [1], rng, paired=True), "same seeds"),
        (lambda: score_at_equal_cost(a, {1: [[0]], 2: [[0]]}, [1], rng), r"\[rows, 2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
