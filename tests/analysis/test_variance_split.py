"""Variance by source against simulation, hand calculation and scipy's analysis of variance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_sweeps import sweep
from scipy import stats

from greenexp.analysis.seeds.mean_squares import interval_of, mean_squares, unweighted_terms, variance_weights
from greenexp.analysis.seeds.variance import seed_scores, variance_split

INIT, ORDER = "initialisation_seed", "order_seed"


def crossed(rng, k, n, m, spread, repeats=1, shared=False):
    """A table of configurations x initialisations x orders x repeats; spread: standard deviations of c, a, b, ab, e."""
    at = (1,) if shared else (k,)
    y = rng.normal(0, spread[0], (k, 1, 1, 1)) + rng.normal(0, spread[1], (*at, n, 1, 1))
    y = y + rng.normal(0, spread[2], (*at, 1, m, 1)) + rng.normal(0, spread[3], (k, n, m, 1))
    y = y + rng.normal(0, spread[4], (k, n, m, repeats))
    places = np.indices(y.shape).reshape(4, -1)
    return pd.DataFrame({"configuration": places[0], INIT: places[1], ORDER: places[2], "score": y.reshape(-1)})


def one_way(groups):
    rows = [(name, seed, score) for name, scores in enumerate(groups) for seed, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["configuration", INIT, "score"])


def test_one_way_by_hand():
    split = variance_split(one_way([[1.0, 3.0], [6.0, 8.0], [2.0, 4.0]]), [INIT])
    # MS within = 2 on 3, MS between = 2 * var(2, 7, 3) = 14 on 2.
    assert split.table["source"].tolist() == ["configuration", INIT]
    assert split.table["estimate"].tolist() == pytest.approx([(14 - 2) / 2, 2.0])
    assert split.table["degrees_of_freedom"].tolist() == [2, 3]
    assert split.table["share"].tolist() == pytest.approx([0.75, 0.25])
    within = split.table.iloc[1]
    assert (within["lower"], within["upper"]) == pytest.approx(tuple(6 / stats.chi2.ppf([0.975, 0.025], 3)))
    ratios = 7 / stats.f.ppf([0.975, 0.025], 2, 3)
    assert split.share == pytest.approx((max(0, (ratios[0] - 1) / (ratios[0] + 1)), (ratios[1] - 1) / (ratios[1] + 1)))
    assert (split.mean, split.of_one_trial, split.of_a_mean) == pytest.approx((4.0, 2.0, 1.0))


def test_f_ratio_is_that_of_scipy():
    groups = np.random.default_rng(0).normal(size=(4, 6)) + np.arange(4)[:, None]
    terms = mean_squares(groups[:, :, None], nested=True)
    between, within = terms[frozenset({0})][0], terms[frozenset({0, 1})][0]
    assert between / within == pytest.approx(stats.f_oneway(*groups).statistic)
    unweighted, harmonic = unweighted_terms(list(groups))
    assert harmonic == pytest.approx(6)
    assert unweighted == {source: pytest.approx(term) for source, term in terms.items()}


@pytest.mark.parametrize("nested", [True, False])
def test_squares_add_up(nested):
    table = np.random.default_rng(1).normal(size=(4, 3, 5, 2))
    terms = mean_squares(table, nested)
    assert sum(square * degrees for square, degrees in terms.values()) == pytest.approx(table.var() * table.size)
    assert sum(degrees for _, degrees in terms.values()) == table.size - 1


@pytest.mark.parametrize(("nested", "repeats"), [(True, 1), (True, 2), (False, 2)])
def test_estimates_are_unbiased(nested, repeats):
    rng, spread, shape = np.random.default_rng(2), np.array([1.0, 0.5, 0.3, 0.2, 0.4]), (6, 4, 3, repeats)
    expected = {frozenset(axes): spread[k] ** 2 for k, axes in enumerate(([0], [0, 1], [0, 2], [0, 1, 2]))}
    if not nested:
        expected |= {frozenset({1}): spread[1] ** 2, frozenset({2}): spread[2] ** 2, frozenset({1, 2}): 0.0}
        expected |= {frozenset({0, 1}): 0.0, frozenset({0, 2}): 0.0}
    if repeats == 1:
        expected[frozenset({0, 1, 2})] += spread[4] ** 2
    frames = (crossed(rng, 6, 4, 3, spread, repeats, not nested) for _ in range(400))
    terms = [mean_squares(frame["score"].to_numpy().reshape(shape), nested) for frame in frames]
    weights = variance_weights(list(terms[0]), shape)
    for source, truth in expected.items():
        found = np.array([sum(w * term[s][0] for s, w in weights[source].items()) for term in terms])
        assert found.mean() == pytest.approx(truth, abs=4 * found.std() / 20)


def test_intervals_cover():
    rng, spread, rounds, shape = np.random.default_rng(7), (1.0, 0.5, 0.3, 0.2, 0.0), 120, (6, 4, 3, 1)
    covered = dict.fromkeys([frozenset({0}), frozenset({0, 1}), frozenset({0, 2})], 0)
    for _ in range(rounds):
        terms = mean_squares(crossed(rng, 6, 4, 3, spread)["score"].to_numpy().reshape(shape), nested=True)
        weights = variance_weights(list(terms), shape)
        for source, truth in zip(covered, (1.0, 0.25, 0.09), strict=True):
            low, high = interval_of(weights[source], terms, 0.9)
            covered[source] += low <= truth <= high
    for count in covered.values():
        assert stats.binom.sf(count - 1, rounds, 0.92) > 1e-4
        assert stats.binom.cdf(count, rounds, 0.88) > 1e-4


def test_different_numbers_of_seeds():
    rng, found = np.random.default_rng(3), []
    for _ in range(600):
        groups = [rng.normal(rng.normal(0, 1), 0.7, n) for n in (2, 3, 3, 5, 8, 1)]
        terms, harmonic = unweighted_terms(groups)
        found.append((terms[frozenset({0})][0] - terms[frozenset({0, 1})][0]) / harmonic)
    assert np.mean(found) == pytest.approx(1.0, abs=4 * np.std(found) / np.sqrt(600))
    split = variance_split(one_way(groups), [INIT])
    assert split.table["estimate"].iloc[0] == pytest.approx(found[-1])
    assert split.share[0] < split.table["share"].iloc[0] < split.share[1]
    assert "different numbers" in split.design


def test_a_negative_estimate_is_said_and_cut_off():
    split = variance_split(one_way([[0.0, 4.0], [1.0, 3.0], [2.0, 2.0]]), [INIT])
    row = split.table.iloc[0]
    assert row["estimate"] == pytest.approx(-10 / 6)  # all means are 2, and 10 / 3 within
    assert (row["variance"], row["standard_deviation"], row["share"], row["lower"]) == (0, 0, 0, 0)
    assert row["upper"] >= 0
    assert split.variance("configuration") == 0


def test_two_seeds_that_change_together_are_one_source():
    frame = one_way([[1.0, 3.0], [6.0, 8.0]]).assign(order_seed=lambda d: d[INIT] + 10)
    split = variance_split(frame)
    assert split.table["source"].tolist() == ["configuration", f"{INIT} with {ORDER}"]
    assert split.variance(f"{INIT} with {ORDER}") == 2


def test_one_configuration_and_plain_repeats():
    split = variance_split(one_way([[1.0, 3.0, 5.0]]), [INIT])
    assert split.table["source"].tolist() == [INIT]
    assert split.variance(INIT) == 4
    assert np.isnan(split.share).all()
    repeats = one_way([[1.0, 3.0], [6.0, 8.0]]).assign(initialisation_seed=0)
    split = variance_split(repeats, [INIT])
    assert split.table["source"].tolist() == ["configuration", "residual"]
    assert split.of_a_mean == pytest.approx(1.0)
    assert split.share[1] > 0.9
    assert variance_split(repeats.iloc[:3], [INIT]).table["source"].tolist() == ["configuration", "residual"]


def test_seeds_shared_by_the_configurations_are_taken_out():
    rng = np.random.default_rng(4)
    frame = crossed(rng, 5, 6, 1, (1, 2, 0, 0, 0.01), shared=True)
    split = variance_split(frame, shared_seeds=True)
    assert split.table["source"].tolist() == ["configuration", INIT, f"configuration x {INIT}"]
    assert split.variance(f"configuration x {INIT}") < 1e-3 < split.variance(INIT)


def test_what_cannot_be_split_is_refused_with_the_reason():
    frame = crossed(np.random.default_rng(5), 3, 2, 2, (1, 1, 1, 1, 1))
    for trials, message in (
        (frame.drop(index=[5]), "not 4 trials: 1"),
        (frame.assign(score=np.nan), "finite"),
        (frame.iloc[:0], "finite"),
        (frame.drop_duplicates("configuration"), "no seed variance"),
    ):
        with pytest.raises(ValueError, match=message):
            variance_split(trials)
    with pytest.raises(ValueError, match="is not complete"):
        variance_split(one_way([[1.0, 2.0], [3.0]]), [INIT], shared_seeds=True)
    with pytest.raises(ValueError, match="columns"):
        variance_split(frame, [])


def test_unequal_noise_is_remarked():
    rng = np.random.default_rng(6)
    same = variance_split(one_way(rng.normal(0, 1, (5, 8))), [INIT])
    wild = variance_split(one_way(rng.normal(0, 1, (5, 8)) * np.array([[1], [1], [1], [1], [50]])), [INIT])
    assert same.remarks == ()
    dead = variance_split(one_way([[0.5] * 5, rng.normal(0, 1, 5)]), [INIT])
    assert "Bartlett p = 0;" in dead.remarks[0]
    assert "seed variance" in wild.remarks[0]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-5, 5))
def test_shift_and_scale(seed, scale, shift):
    frame = crossed(np.random.default_rng(seed), 3, 2, 3, (1, 1, 1, 1, 1)).sample(frac=1, random_state=seed)
    moved = variance_split(frame.assign(score=frame["score"] * scale + shift)).table
    table = variance_split(frame).table
    for column in ("estimate", "lower", "upper"):
        assert moved[column].to_numpy() == pytest.approx(table[column] * scale**2, rel=1e-6, abs=1e-9)


def test_the_interval_of_a_sum_is_exact_for_one_mean_square():
    terms = {frozenset({0}): (3.0, 7)}
    assert interval_of({frozenset({0}): 2.0}, terms, 0.9) == pytest.approx(tuple(42 / stats.chi2.ppf([0.95, 0.05], 7)))


def test_scores_of_a_sweep():
    tables = sweep(3, 2, ends={"c1": ("stopped", 3)})
    scores = seed_scores(tables)
    assert list(scores.columns) == ["configuration", INIT, ORDER, "score"]
    assert scores["score"].notna().all()
