"""Confidence bands against opda, exact small cases and simulation of what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opda.nonparametric import EmpiricalDistribution
from scipy import stats

from greenexp.analysis.curves.bands import METHODS, confidence_band
from greenexp.analysis.curves.curve_bands import trivial_above, tuning_curve_band
from greenexp.analysis.numbers.order_statistics import coverage, equal_local_level, local_bounds

NAMES_AT_OPDA = {"dkw": "dkw", "ks": "ks", "ld_highest_density": "ld_highest_density"}


def of_opda(scores, confidence, name):
    return EmpiricalDistribution.confidence_bands(
        scores, confidence, 0.0, 1.0, generator=np.random.default_rng(0), method=name, n_jobs=1
    )


def test_two_values_by_hand():
    """P(l_1 <= U_(1) <= h_1, l_2 <= U_(2) <= h_2): twice the area of the ordered pairs inside both intervals."""
    low, high = np.array([0.1, 0.3]), np.array([0.6, 0.9])
    # U_(1) in [0.1, 0.6], U_(2) in [0.3, 0.9], U_(1) <= U_(2): 0.5 x 0.6 minus the triangle above the diagonal.
    assert coverage(low, high) == pytest.approx(2 * (0.5 * 0.6 - 0.3**2 / 2), abs=1e-15)


@pytest.mark.parametrize("n", [1, 2, 7, 48, 140])  # beyond 140 scipy uses an asymptotic series
def test_the_kolmogorov_statistic_has_the_same_coverage(n: int):
    """A band of constant width is a case of the recursion with a known answer."""
    for width in (0.6 / math.sqrt(n), 1.2 / math.sqrt(n)):
        ranks = np.arange(1, n + 1)
        low, high = np.clip(ranks / n - width, 0, 1), np.clip((ranks - 1) / n + width, 0, 1)
        assert coverage(low, high) == pytest.approx(stats.kstwo.cdf(width, n), abs=1e-11)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 3, 20, 400])
def test_the_level_gives_the_confidence(n: int, confidence: float):
    assert coverage(*local_bounds(n, equal_local_level(n, confidence))) == pytest.approx(confidence, abs=1e-9)


def test_coverage_by_simulation():
    rng = np.random.default_rng(0)
    uniforms = np.sort(rng.random((40_000, 25)), axis=1)
    low, high = local_bounds(25, equal_local_level(25, 0.9))
    kept = int(((uniforms >= low) & (uniforms <= high)).all(axis=1).sum())
    assert stats.binomtest(kept, 40_000, 0.9).pvalue > 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_bands_of_opda(method: str):
    rng = np.random.default_rng(3)
    scores, points = rng.random(6), np.concatenate((rng.random(50), [0.0, 1.0]))
    band = confidence_band(scores, 0.8, method, (0, 1))
    lower, _, upper = of_opda(scores, 0.8, NAMES_AT_OPDA.get(method, "ld_equal_tailed"))
    # opda finds the level of its equal-tailed band by simulation.
    tolerance = 2e-3 if method == "equal_local_levels" else 1e-12
    low, high = band.cdf(np.concatenate((points, scores)))
    assert np.abs(low - lower.cdf(np.concatenate((points, scores)))).max() < tolerance
    assert np.abs(high - upper.cdf(np.concatenate((points, scores)))).max() < tolerance


@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize("method", ["dkw", "ks", "ld_highest_density"])
def test_bands_of_curves_of_opda(method: str, minimize: bool):
    scores, budgets = np.random.default_rng(5).random(6), np.arange(1, 40)
    lower, _, upper = of_opda(scores, 0.8, method)
    for estimator, curve in (("median", "quantile_tuning_curve"), ("mean", "average_tuning_curve")):
        found = tuning_curve_band(scores, budgets, 0.8, estimator, method, (0, 1), minimize)
        assert np.allclose(found["lower"], getattr(upper, curve)(budgets, minimize=minimize), atol=1e-9)
        assert np.allclose(found["upper"], getattr(lower, curve)(budgets, minimize=minimize), atol=1e-9)


def test_a_band_of_the_median_covers_the_true_median_of_the_best():
    rng = np.random.default_rng(7)
    budgets, kept = np.arange(1, 30), 0
    truth = 0.5 ** (1 / budgets)  # of the best of n uniforms
    for _ in range(400):
        found = tuning_curve_band(rng.random(15), budgets, 0.8, support=(0, 1))
        kept += bool(((found["lower"] <= truth) & (truth <= found["upper"])).all())
    assert kept >= 0.8 * 400 - 4 * math.sqrt(400 * 0.16)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.floats(0.05, 0.95), st.sampled_from(METHODS[:3]))
def test_bounds_enclose_the_estimate_and_grow_with_the_confidence(scores: list[int], share: float, method: str):
    values = np.array(scores) / 6
    narrow, wide = (confidence_band(values, c, method, (0, 1)) for c in (share, (1 + share) / 2))
    table = narrow.table
    assert (table["lower"] <= table["cdf"] + 1e-12).all()
    assert (table["upper"] >= table["cdf"] - 1e-12).all()
    assert (np.diff(table["lower"]) >= -1e-12).all()
    assert (np.diff(table["upper"]) >= -1e-12).all()
    assert (wide.lower <= narrow.lower + 1e-9).all()
    assert (wide.upper >= narrow.upper - 1e-9).all()
    assert narrow.ties == len(scores) - len(set(scores))


def test_quantiles_invert_the_distribution():
    band = confidence_band([0.2, 0.5, 0.9], 0.5, support=(0, 1))
    low, high = band.quantile(np.linspace(0, 1, 101))
    assert set(low) | set(high) <= {0, 0.2, 0.5, 0.9, 1}
    assert (low <= high).all()
    assert (band.quantile(0.0)[0], band.quantile(1.0)[1]) == (0, 1)


def test_beyond_some_budget_the_band_says_nothing():
    scores = np.random.default_rng(2).random(48)
    band = confidence_band(scores, 0.8, support=(0, 1))
    budgets = np.arange(1, 40)
    trivial = tuning_curve_band(scores, budgets, 0.8, support=(0, 1))["trivial"]
    assert budgets[trivial.to_numpy()][0] == trivial_above(band) + 1
    assert trivial_above(confidence_band([0.3], 0.95)) == 0


def test_what_is_wrong_is_said():
    for arguments, words in [
        (([],), "at least one number"),
        (([0.1, math.nan],), "finite"),
        (([0.1], 1.0), "between 0 and 1"),
        (([0.1], 0.9, "dwk"), "'dkw'"),
        (([1.2], 0.9, "dkw", (0, 1)), "support"),
    ]:
        with pytest.raises(ValueError, match=words):
            confidence_band(*arguments)
    with pytest.raises(ValueError, match="finite support"):
        tuning_curve_band([0.1, 0.2], [1], estimator="mean")
    with pytest.raises(ValueError, match="median"):
        tuning_curve_band([0.1, 0.2], [1], estimator="maen")
    with pytest.raises(ValueError, match="at least 1"):
        tuning_curve_band([0.1, 0.2], [0.5])
