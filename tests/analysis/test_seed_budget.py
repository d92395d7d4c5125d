"""What seeds are worth, against simulation of the two-level model and known tables of power."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from greenexp.analysis.comparing.power import seeds_needed, smallest_difference, t_test_power
from greenexp.analysis.seeds.seed_budget import (
    expected_maximum,
    seed_plans,
    shrunken_means,
)
from greenexp.analysis.seeds.variance import variance_split


def one_way(groups):
    rows = [(name, seed, score) for name, scores in enumerate(groups) for seed, score in enumerate(scores)]
    return pd.DataFrame(rows, columns=["configuration", "order_seed", "score"])


def test_expected_maximum_of_normals():
    root = np.sqrt(np.pi)
    assert expected_maximum([1, 2, 3]) == pytest.approx([0, 1 / root, 1.5 / root], abs=1e-13)
    for n in (7, 100, 10_000):
        density = lambda z, n=n: z * n * stats.norm.pdf(z) * stats.norm.cdf(z) ** (n - 1)  # noqa: E731
        assert expected_maximum(n) == pytest.approx(integrate.quad(density, -10, 10, epsabs=1e-12)[0], abs=1e-9)
    with pytest.raises(ValueError, match="whole number"):
        expected_maximum(0)


@pytest.mark.parametrize("minimize", [False, True])
def test_plans_are_what_the_model_gives(minimize):
    rng, sign = np.random.default_rng(0), -1 if minimize else 1
    plans = seed_plans(24, 1.0, 1.5, 10.0, [1, 2, 6, 24], minimize)
    for row in plans.itertuples():
        true = rng.normal(10, 1, (20_000, row.configurations))
        shown = true + rng.normal(0, 1.5, true.shape) / np.sqrt(row.seeds)
        best = np.argmax(sign * shown, axis=1)[:, None]
        assert row.expected_true == pytest.approx(np.take_along_axis(true, best, 1).mean(), abs=0.05)
        assert row.expected_shown == pytest.approx(np.take_along_axis(shown, best, 1).mean(), abs=0.06)
        assert row.optimism == pytest.approx(sign * (row.expected_shown - row.expected_true))


def test_plans_by_default_leave_no_trial_over_for_nothing():
    plans = seed_plans(10, 1, 1)
    assert list(zip(plans["seeds"], plans["configurations"], strict=True)) == [(1, 10), (2, 5), (3, 3), (5, 2), (10, 1)]
    assert seed_plans(10, 1, 0)["expected_true"].idxmax() == 0
    assert seed_plans(10, 0, 1)["expected_true"].tolist() == [0] * 5
    assert seed_plans(10, 0, 0)["reliability"].tolist() == [1] * 5
    for arguments in ((0, 1, 1), (10, -1, 1), (10, 1, 1, 0.0, [11]), (10, 1, 1, 0.0, [])):
        with pytest.raises(ValueError, match=r"plan needs|seeds must be"):
            seed_plans(*arguments)


def test_the_shrunken_lead_is_the_true_one_on_average():
    rng, shown, worth, true = np.random.default_rng(1), [], [], []
    for _ in range(60):
        theta = rng.normal(0, 1, 20)
        frame = one_way(rng.normal(theta[:, None], 1.5, (20, 3)))
        means = shrunken_means(frame, variance_split(frame, ["order_seed"]))
        shown.append(means["mean"].iloc[0])
        worth.append(means["expected_true"].iloc[0])
        true.append(theta[means["configuration"].iloc[0]])
    error = np.std(np.subtract(worth, true)) / np.sqrt(60)
    assert np.mean(worth) == pytest.approx(np.mean(true), abs=4 * error)
    assert np.mean(shown) > np.mean(true) + 4 * error


def test_power_against_the_tables():
    # Cohen 1988, tables 2.4: per group, two-sided, level 0.05, power 0.80.
    assert [seeds_needed(d, 1.0) for d in (0.2, 0.5, 0.8, 1.0)] == [394, 64, 26, 17]
    assert seeds_needed(0.5, 1.0, paired=True) == 34
    assert t_test_power(0.5, 64, 1.0) == pytest.approx(0.8015, abs=1e-4)
    assert t_test_power(0.0, 5, 1.0) == pytest.approx(0.05)
    assert seeds_needed(0.0, 1.0) is None
    assert seeds_needed(100.0, 1.0) == 2


def test_power_is_the_share_of_studies_that_find_it():
    rng = np.random.default_rng(3)
    a, b = rng.normal(1.2, 1, (20_000, 6)), rng.normal(0, 0.5, (20_000, 6))
    found = (stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue < 0.05).mean()
    assert t_test_power(1.2, 6, 1.0, 0.5) == pytest.approx(found, abs=0.02)
    found = (stats.ttest_rel(a, b, axis=1).pvalue < 0.05).mean()
    assert t_test_power(1.2, 6, np.hypot(1, 0.5), paired=True) == pytest.approx(found, abs=0.015)


def test_smallest_difference_is_the_inverse():
    for seeds in (2, 5, 50):
        least = smallest_difference(seeds, 0.3, 0.2)
        assert t_test_power(least, seeds, 0.3, 0.2) == pytest.approx(0.8)
    for degrees, shift in ((4, 3.0), (9, 1.0), (30, 5.0)):
        bound = stats.t.ppf(0.975, degrees)
        oracle = stats.nct.sf(bound, degrees, shift) + stats.nct.cdf(-bound, degrees, shift)
        paired = t_test_power(shift / np.sqrt(degrees + 1), degrees + 1, 1.0, paired=True)
        assert paired == pytest.approx(oracle, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 500), st.floats(0.1, 3), st.sampled_from([0.001, 0.05, 0.2]))
def test_power_rises(difference, sd, alpha):
    found = [t_test_power(d * difference, s, sd, 1.0, alpha=alpha) for d in (0, 1, 1.5) for s in (2, 3, 40)]
    grid = np.array(found).reshape(3, 3)
    assert grid[0] == pytest.approx(alpha, abs=1e-5)
    assert (np.diff(grid, axis=0) >= -1e-9).all()
    assert (np.diff(grid[1:], axis=1) >= -1e-9).all()
    assert (grid <= 1).all()


def test_refusals_of_power():
    for call, message in (
        (lambda: t_test_power(1, 1, 1), "at least 2 seeds"),
        (lambda: t_test_power(1, 3, 0), "above 0"),
        (lambda: t_test_power(1, 3, 1, 1, paired=True), "one standard deviation"),
        (lambda: seeds_needed(1, 1, power=0.01), "power must lie"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
