"""Thinning keeps every choice: fronts, and the best score within any price."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.replay.chosen import chosen_thresholds
from greenexp.replay.thinning import thinned_points


def drawn(seed: int, count: int, levels: int) -> pd.DataFrame:
    """Points with many ties and some scores that are not defined."""
    rng = np.random.default_rng(seed)
    layers = rng.integers(1, levels + 1, count) / levels * 6
    score = rng.integers(0, levels, count) / levels
    score[rng.random(count) < 0.1] = np.nan
    return pd.DataFrame({
        "policy": "p", "threshold": np.sort(rng.random(count)), "score": score,
        "inference_flops": layers * rng.choice([1.0, 1.1], count), "mean_layers": layers, "speed_up": 6 / layers,
    })  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120), st.integers(1, 30), st.booleans())
def test_the_best_score_within_any_price_is_what_it_was(seed: int, count: int, levels: int, minimize: bool) -> None:
    points = drawn(seed, count, levels)
    few = thinned_points(points, minimize=minimize, most=20)
    pd.testing.assert_frame_equal(few, points.merge(few["threshold"]), check_dtype=False)
    best = "min" if minimize else "max"
    for price in ("inference_flops", "mean_layers"):
        for limit in points[price].unique():
            within, kept = points[points[price] <= limit]["score"], few[few[price] <= limit]["score"]
            assert within.agg(best) == kept.agg(best) or within.isna().all()
    assert len(few) <= max(20, 2 * levels + 2)


def test_a_threshold_chosen_for_a_speed_up_scores_the_same() -> None:
    points = drawn(3, 3000, 200)
    few = thinned_points(points, minimize=False, most=500)
    assert len(few) <= 500
    targets = np.linspace(1, 5, 40)
    whole, thinned = (chosen_thresholds(frame, targets) for frame in (points, few))
    pd.testing.assert_series_equal(whole["score"], thinned["score"])
    pd.testing.assert_series_equal(whole["target"], thinned["target"])


@pytest.mark.parametrize("count", [0, 1, 20])
def test_few_points_stay_as_they_are(count: int) -> None:
    points = drawn(0, 20, 5).head(count)
    pd.testing.assert_frame_equal(thinned_points(points, minimize=False, most=20), points)
