"""What the next configurations gain: against enumeration, a law that has a closed form, and simulated searches."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import genpareto

from greenexp.analysis.search.gain_law import gain_law
from greenexp.analysis.search.next_gain import LEAST, LEVEL, gain_of_draws, gain_of_search
from greenexp.analysis.search.next_gain import _mean_gain as mean_gain
from greenexp.analysis.search.next_gain import _rank_chances as rank_chances

SCORES = st.lists(st.floats(-100, 100), min_size=LEAST, max_size=30)


@pytest.mark.parametrize(("known", "size"), [(6, 1), (6, 2), (6, 5), (6, 6)])
def test_ranks_of_the_best_of_a_part_are_counted(known: int, size: int) -> None:
    parts = list(itertools.combinations(range(known), size))
    counted = [sum(min(part) == rank for part in parts) / len(parts) for rank in range(known)]
    np.testing.assert_allclose(rank_chances(known, size), counted, atol=1e-12)


@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0])
def test_a_tail_that_ends_is_continued_by_its_own_law(exponent: float) -> None:
    # Scores -u^a, u uniform, each rank at its expectation: E_n is proportional to Gamma(n + 1) / Gamma(n + 1 + a).
    known = 2_000
    rank = np.arange(1, known + 1)
    ratio = gammaln(rank + exponent) - gammaln(rank) + gammaln(known + 1) - gammaln(known + 1 + exponent)
    expected = math.gamma(1 + exponent) * (known**-exponent - (2 * known) ** -exponent)
    assert mean_gain(-np.exp(ratio), known) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("draw", ["normal", "uniform", "beta"])
@pytest.mark.parametrize(("known", "more"), [(12, 12), (24, 6), (48, 48)])
def test_simulated_searches_gain_what_is_expected(draw: str, known: int, more: int) -> None:
    rng = np.random.default_rng([known, more])
    draws = {"normal": rng.normal, "uniform": rng.random, "beta": lambda size: rng.beta(2, 3, size)}[draw]
    expected, found = [], []
    for _ in range(1_500):
        scores = draws(size=known + more)
        expected.append(mean_gain(-np.sort(-scores[:known]), more))
        found.append(max(0.0, scores[known:].max() - scores[:known].max()))
    told = gain_of_draws(scores[:known], more)
    assert told.mean == pytest.approx(expected[-1])
    assert np.mean(expected) == pytest.approx(np.mean(found), rel=0.35)
    assert told.chance == pytest.approx(np.mean(np.array(found) > 0), abs=0.05)


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("known", "more"), [(10, 10), (24, 10), (48, 48)])
def test_as_many_searches_as_said_gain_no_more_than_said(power: float, known: int, more: int) -> None:
    # Tails that end as one, two and six hyperparameters make them: P(score > -y) = y^power.
    rng = np.random.default_rng([known, more])
    below = 0
    for _ in range(150):
        scores = -(rng.random(known + more) ** (1 / power))
        limit = gain_of_draws(scores[:known], more).at_most
        below += limit is not None and scores[known:].max() - scores[:known].max() <= limit
    assert below / 150 >= LEVEL - 0.05


def test_the_law_of_gains_is_a_law_that_scales_and_has_the_chance_that_ranks_have() -> None:
    scores = np.random.default_rng(5).normal(size=30)
    law, doubled = (gain_law(-np.sort(-factor * scores), 10) for factor in (1.0, 2.0))
    assert law.above[0] == pytest.approx(10 / 40)
    assert (np.diff(law.above) <= 0).all()
    assert law.above[-1] < 1e-4
    np.testing.assert_allclose(doubled.gains, 2 * law.gains)
    np.testing.assert_allclose(doubled.above, law.above)
    for level in (0.8, 0.9, 0.99):
        at = law.quantile(level)
        assert np.interp(at, law.gains, law.above) == pytest.approx(1 - level, rel=1e-6)
    assert law.quantile(0.75) == law.quantile(0.5) == 0.0


def test_the_law_of_gains_is_the_predictive_by_draws_from_the_prior() -> None:
    known, more = 20, 10
    ranked = -np.sort(-np.random.default_rng(1).beta(2, 3, known))
    rng = np.random.default_rng(0)
    above, reach = ranked[:10] - ranked[10], ranked[0] - ranked[10]
    exponents = np.exp(rng.uniform(np.log(0.5), np.log(20), 40_000))
    ends = reach * np.exp(rng.uniform(np.log(1 + 1e-4), np.log(1 + 1e3), 40_000))
    logs = genpareto.logpdf(above[:, None], -1 / exponents, scale=ends / exponents).sum(axis=0)
    weights = np.exp(logs - logs.max())
    shares = rng.beta(11, known - 10, 40_000)
    law = gain_law(ranked, more)

    def probability(gain: float) -> float:
        beyond = shares * genpareto.sf(reach + gain, -1 / exponents, scale=ends / exponents)
        return float(np.average(1 - (1 - beyond) ** more, weights=weights))

    for gain in (0.02, 0.1, 0.3):
        expected = probability(gain) / probability(0.0) * more / (known + more)
        assert np.interp(gain, law.gains, law.above) == pytest.approx(expected, abs=0.01)


@given(SCORES, st.integers(1, 60))
def test_gains_are_finite_scaled_and_mirrored(scores: list[float], more: int) -> None:
    told = gain_of_draws(scores, more)
    values = np.array(scores)
    spread = np.ptp(values)
    assert 0 <= told.mean <= spread * math.log2(1 + more / len(scores)) + 1e-9
    assert told.at_most is not None
    assert 0 <= told.at_most < math.inf
    mirrored = gain_of_draws(-values, more, minimize=True)
    assert mirrored.mean == pytest.approx(told.mean, abs=1e-9)
    moved = gain_of_draws(2 * values + 5, more)
    assert moved.mean == pytest.approx(2 * told.mean, rel=1e-6, abs=1e-7 * (1 + spread))
    assert gain_of_draws(values[::-1], more).mean == pytest.approx(told.mean)
    learnt = gain_of_search(scores, more)
    assert learnt.upper
    assert 0 <= learnt.mean < math.inf


def test_more_configurations_gain_more() -> None:
    scores = np.random.default_rng(3).normal(size=20)
    gains = [gain_of_draws(scores, more).mean for more in (1, 5, 20, 100)]
    assert gains == sorted(gains)
    assert gains[0] > 0


def test_equal_scores_have_nothing_to_gain() -> None:
    told = gain_of_draws([0.5] * 10, 5)
    assert (told.mean, told.at_most) == (0.0, 0.0)
    assert gain_of_search([0.5] * 10, 5).mean == 0.0


def test_a_search_that_still_climbs_is_expected_to_gain_what_its_last_doubling_did() -> None:
    climbing = gain_of_search(np.arange(20.0), 20)
    assert climbing.mean >= 10
    settled = gain_of_search([*np.arange(20.0), *([5.0] * 40)], 10)
    assert settled.mean == 0


@pytest.mark.parametrize("scores", [[1.0] * 7, [*[1.0] * 8, math.nan], np.zeros((8, 2))])
def test_too_few_scores_and_no_numbers_are_refused(scores: object) -> None:
    for gain in (gain_of_draws, gain_of_search):
        with pytest.raises(ValueError, match="at least 8 finite"):
            gain(scores, 1)  # type: ignore[arg-type]


def test_no_further_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        gain_of_draws(range(10), 0)
