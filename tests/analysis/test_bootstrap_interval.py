"""Percentile bootstrap intervals: the curve of every resample, and nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.analysis.curves.bootstrap import bootstrap_interval, rank_weights
from greenexp.analysis.curves.tuning_curve import tuning_curve

SCORES = np.array([0.3, 0.9, 0.5, 0.5, 0.7])
SIZES = np.array([1, 2, 5])


@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize("estimator", ["unbiased", "biased", "median", 0.9, 0.1])
def test_rank_weights_give_the_curve_of_any_sample(estimator: str | float, minimize: bool) -> None:
    weights = rank_weights(SCORES.size, SIZES, estimator, minimize)
    sign = -1 if minimize else 1
    for sample in itertools.product(SCORES, repeat=3):
        whole = np.concatenate((sample, SCORES[:2]))
        curve = sign * (np.sort(sign * whole) @ weights)
        assert curve == pytest.approx(tuning_curve(whole, SIZES, estimator, minimize), abs=1e-12)


@pytest.mark.parametrize("estimator", ["unbiased", "median"])
def test_the_interval_is_that_of_all_resamples(estimator: str) -> None:
    scores = SCORES[:4]
    every = [tuning_curve(sample, [1, 4], estimator) for sample in itertools.product(scores, repeat=4)]
    low, high = np.quantile(every, [0.1, 0.9], axis=0)
    found = bootstrap_interval(scores, [1, 4], np.random.default_rng(0), 0.8, estimator, resamples=40_000)
    assert found["lower"].to_numpy() == pytest.approx(low, abs=0.03)
    assert found["upper"].to_numpy() == pytest.approx(high, abs=0.03)
    assert found["upper"].iloc[1] <= scores.max(), "it cannot get above the best score seen"


@given(shift=st.floats(-5, 5), order=st.permutations(range(5)))
def test_shift_order_and_direction(shift: float, order: list[int]) -> None:
    def interval(scores: np.ndarray, minimize: bool = False) -> np.ndarray:
        found = bootstrap_interval(scores, SIZES, np.random.default_rng(1), minimize=minimize, resamples=50)
        return found[["lower", "upper"]].to_numpy()

    whole = interval(SCORES)
    assert interval(SCORES[order] + shift) == pytest.approx(whole + shift, abs=1e-9)
    assert -interval(-SCORES, minimize=True)[:, ::-1] == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"confidence": 1.0}, "between 0 and 1"),
        ({"resamples": 0}, "resample"),
        ({"budgets": 3}, "budgets"),
        ({"budgets": [6]}, "between 1"),
        ({"estimator": "mean"}, "unknown estimator"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], words: str) -> None:
    arguments = {"scores": SCORES, "budgets": [1], "rng": np.random.default_rng(0)} | change
    with pytest.raises(ValueError, match=words):
        bootstrap_interval(**arguments)  # type: ignore[arg-type]
