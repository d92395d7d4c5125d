"""What seeds leave of a difference: against the mean squares it comes from, and against simulated configurations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from greenexp.analysis.seeds.seed_noise import seed_noise
from greenexp.analysis.seeds.variance import variance_split


def drawn(rng, configurations, seeds, tau, common, own):
    scores = (
        0.9 + tau * rng.normal(size=(configurations, 1)) + common * rng.normal(size=(1, seeds))
        + own * rng.normal(size=(configurations, seeds))
    )  # fmt: skip
    rows = [
        (f"c{i}", j, 7, scores[i, j]) for i in range(configurations) for j in range(seeds)
    ]  # fmt: skip
    names = ["configuration", "initialisation_seed", "order_seed", "score"]
    return scores, seed_noise(variance_split(pd.DataFrame(rows, columns=names), shared_seeds=True))


def test_it_is_made_of_the_mean_squares_of_the_table():
    scores, noise = drawn(np.random.default_rng(0), 12, 4, 0.02, 0.01, 0.005)
    cells = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    within = (cells**2).sum() / (11 * 3)
    between = 4 * scores.mean(axis=1).var(ddof=1)
    assert noise.one == pytest.approx(np.sqrt(within))
    assert noise.of_a_mean == pytest.approx(np.sqrt(within / 4))
    assert noise.of_a_difference == pytest.approx(np.sqrt(within / 2))
    assert noise.share == pytest.approx(within / between)
    low, high = within / between / stats.f.ppf([0.975, 0.025], 33, 11)
    assert (noise.lower, noise.upper) == pytest.approx((low, high))
    assert noise.lower < noise.share < noise.upper


def test_what_is_common_to_all_configurations_is_no_noise():
    rng = np.random.default_rng(1)
    _, without = drawn(rng, 30, 5, 0.02, 0.0, 0.01)
    _, much = drawn(np.random.default_rng(1), 30, 5, 0.02, 0.5, 0.01)
    assert much.one == pytest.approx(without.one, rel=0.3)
    assert much.common > 0.99


def test_the_interval_holds_the_share_as_often_as_stated():
    rng = np.random.default_rng(2)
    truth = 0.01**2 / 3 / (0.02**2 + 0.01**2 / 3)
    held = sum(n.lower <= truth <= n.upper for n in (drawn(rng, 8, 3, 0.02, 0.005, 0.01)[1] for _ in range(200)))
    assert stats.binomtest(held, 200, 0.95).pvalue > 1e-3


def test_the_probability_of_the_lead_is_right_for_the_best_two():
    """Over many sweeps, among leads with probability p a share p is real, although the best two were picked."""
    rng, tau, own, seeds = np.random.default_rng(3), 0.01, 0.02, 3
    noise = drawn(rng, 600, seeds, tau, 0.0, own)[1]
    true = tau * rng.normal(size=(20_000, 6))
    means = true + own / np.sqrt(seeds) * rng.normal(size=true.shape)
    order = np.argsort(means)[:, -2:]
    lead = np.diff(np.take_along_axis(means, order, axis=1))[:, 0]
    real = np.diff(np.take_along_axis(true, order, axis=1))[:, 0] > 0
    points = np.linspace(0, lead.max(), 200)
    expected = np.interp(lead, points, [noise.probability_of_lead(point) for point in points])
    assert 0.5 < expected.mean() < 0.9
    assert real.mean() == pytest.approx(expected.mean(), abs=4 * 0.5 / np.sqrt(lead.size))


def test_no_noise_and_no_difference():
    table = pd.DataFrame({"configuration": ["a", "a", "b", "b"], "initialisation_seed": [0, 1, 0, 1], "order_seed": 7})
    apart = seed_noise(variance_split(table.assign(score=[1.0, 1.5, 2.0, 2.5]), shared_seeds=True))
    assert (apart.one, apart.share, apart.probability_of_lead(1.0)) == pytest.approx((0.0, 0.0, 1.0))
    alike = seed_noise(variance_split(table.assign(score=[1.0, 1.5, 1.5, 1.0]), shared_seeds=True))
    assert (alike.share, alike.probability_of_lead(0.0)) == (1.0, 0.5)


def test_one_configuration_has_no_difference():
    table = pd.DataFrame({"configuration": "a", "initialisation_seed": [0, 1], "order_seed": 7, "score": [1.0, 2.0]})
    with pytest.raises(ValueError, match="two configurations"):
        seed_noise(variance_split(table))
