"""Pairs over shared seeds: against scipy, against the definitions of equivalence and power, with seeds missing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from greenexp.analysis.comparing.paired_comparisons import (
    BETTER,
    COMPARED,
    SAME,
    UNRESOLVED,
    WORSE,
    compare_paired,
    pooled_noise,
)
from greenexp.analysis.comparing.pairwise import holm
from greenexp.analysis.comparing.power import smallest_difference


def the_rng() -> np.random.Generator:
    return np.random.default_rng(0)


def made(n: int = 6) -> dict[str, pd.Series]:
    """c is far above a, d the same as a but for little, b above a by less than its noise."""
    rng = np.random.default_rng(3)
    a = rng.normal(80, 1, n)
    scores = {"a": a, "b": a + rng.normal(0.3, 1, n), "c": a + rng.normal(5, 0.4, n), "d": a + rng.normal(0, 0.05, n)}
    return {name: pd.Series(values, index=range(n)) for name, values in scores.items()}


PAIRS = [("b", "a"), ("c", "a"), ("a", "c"), ("d", "a")]


def test_against_scipy_and_the_definitions() -> None:
    scores = made()
    table = compare_paired(scores, PAIRS, the_rng(), margin=0.3)
    assert table.columns.tolist() == list(COMPARED)
    for row, (a, b) in zip(table.itertuples(), PAIRS, strict=True):
        found = stats.ttest_rel(scores[a], scores[b])
        interval = found.confidence_interval(0.95)
        assert (row.a, row.b, row.n) == (a, b, 6)
        assert [row.p, row.lower, row.upper] == pytest.approx([found.pvalue, interval.low, interval.high])
        d = scores[a] - scores[b]
        assert row.detectable == pytest.approx(smallest_difference(6, d.std(), paired=True))
        sides = [stats.ttest_1samp(d, bound, alternative=side).pvalue for bound, side in ((-0.3, "greater"), (0.3, "less"))]  # fmt: skip  # noqa: E501
        assert row.p_same == pytest.approx(max(sides))
    assert table["p_holm"].tolist() == pytest.approx(holm(table["p"]).tolist())
    assert table["p_same_holm"].tolist() == pytest.approx(holm(table["p_same"]).tolist())
    assert table["finding"].tolist() == [UNRESOLVED, BETTER, WORSE, SAME]


def test_smaller_is_better() -> None:
    table = compare_paired(made(), [("c", "a")], the_rng(), minimize=True)
    assert table["finding"].tolist() == [WORSE]
    assert table["difference"][0] > 0


def test_only_common_seeds_count() -> None:
    scores = made()
    whole = compare_paired({**scores, "a": scores["a"].iloc[:4]}, PAIRS[:1], the_rng())
    holes = compare_paired({**scores, "a": scores["a"].where(scores["a"].index < 4)}, PAIRS[:1], the_rng())
    part = compare_paired({name: values.iloc[:4] for name, values in scores.items()}, PAIRS[:1], the_rng())
    pd.testing.assert_frame_equal(whole, part)
    pd.testing.assert_frame_equal(holes, part)
    assert part["n"].tolist() == [4]


def test_the_order_of_seeds_does_not_matter() -> None:
    scores = made()
    turned = {**scores, "a": scores["a"].iloc[::-1]}
    pd.testing.assert_frame_equal(compare_paired(turned, PAIRS, the_rng()), compare_paired(scores, PAIRS, the_rng()))


@pytest.mark.parametrize("n", [0, 1])
def test_one_pair_resolves_nothing(n: int) -> None:
    scores = {name: values.iloc[:n] for name, values in made().items()}
    row = compare_paired(scores, [("c", "a")], the_rng(), margin=0.3).iloc[0]
    assert (row["n"], row["finding"]) == (n, UNRESOLVED)
    assert math.isnan(row["p_holm"])
    assert math.isnan(row["detectable"])
    assert math.isnan(row["difference"]) is (n == 0)


def test_differences_that_do_not_vary_resolve_nothing() -> None:
    scores = {"a": pd.Series([1.0, 2.0, 3.0]), "b": pd.Series([0.5, 1.5, 2.5])}
    row = compare_paired(scores, [("a", "b")], the_rng(), margin=1.0).iloc[0]
    assert (row["difference"], row["finding"]) == (0.5, UNRESOLVED)


def test_an_undefined_pair_counts_in_the_correction() -> None:
    scores = {**made(), "one": made()["c"].iloc[:1]}
    alone = compare_paired(scores, [("c", "a")], the_rng())
    both = compare_paired(scores, [("c", "a"), ("one", "a")], the_rng())
    assert both["p_holm"][0] == pytest.approx(2 * alone["p_holm"][0])
    assert math.isnan(both["p_holm"][1])


def test_what_is_below_the_detectable_difference_is_found_less_often_than_promised() -> None:
    """At the detectable difference itself, in 80 % of studies; of equal methods, in 5 %."""
    rng = the_rng()
    detectable = smallest_difference(5, 1.0, paired=True)
    for shift, share in ((detectable, 0.8), (0.0, 0.05)):
        noise = rng.normal(shift, 1.0, (2_000, 5))
        p = stats.ttest_1samp(noise, 0, axis=1).pvalue
        assert (p < 0.05).mean() == pytest.approx(share, abs=0.03)


def test_a_margin_must_be_above_0() -> None:
    with pytest.raises(ValueError, match="margin"):
        compare_paired(made(), PAIRS, the_rng(), margin=0.0)


def test_pooled_noise_of_a_complete_table_is_that_of_two_ways() -> None:
    """Residuals by row and column means; one of two methods alone is the paired t test."""
    scores = made()
    table = pd.DataFrame(scores)
    residuals = table.sub(table.mean(axis=1), axis=0) - table.mean() + table.to_numpy().mean()
    found = pooled_noise(scores)
    assert found.degrees == 15
    assert found.sd == pytest.approx(math.sqrt(2 * (residuals.to_numpy() ** 2).sum() / 15))
    assert found.lowest < found.sd < found.highest
    two = pooled_noise(scores, ["a", "b"])
    own = compare_paired(scores, PAIRS[:1], the_rng(), margin=0.3)
    assert two.sd == pytest.approx((scores["a"] - scores["b"]).std())
    pd.testing.assert_frame_equal(compare_paired(scores, PAIRS[:1], the_rng(), margin=0.3, noise=two), own)


def test_pooled_noise_with_seeds_missing_is_unbiased_and_its_p_are_uniform() -> None:
    """12 equal methods with noise 0.5, a seed effect that cancels, and one method short of two seeds."""
    rng = the_rng()
    variances, p = [], []
    for _ in range(60):
        seed = rng.normal(0, 3, 4)
        scores = {str(k): pd.Series(seed + rng.normal(0, 0.5, 4)) for k in range(12)}
        scores["0"] = scores["0"].iloc[:2]
        noise = pooled_noise(scores)
        variances.append(noise.sd**2)
        p.append(compare_paired(scores, [("0", "1")], the_rng(), noise=noise)["p"][0])
    assert noise.degrees == 12 * 4 - 2 - 15
    assert np.mean(variances) == pytest.approx(2 * 0.25, rel=0.1)
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("n", [0, 1])
def test_one_seed_has_no_noise_to_pool(n: int) -> None:
    scores = {name: values.iloc[:n] for name, values in made().items()}
    noise = pooled_noise(scores)
    assert (math.isnan(noise.sd), noise.degrees) == (True, 0)
    assert compare_paired(scores, [("c", "a")], the_rng(), noise=noise)["finding"].tolist() == [UNRESOLVED]


def test_pooling_finds_smaller_differences() -> None:
    own, noise = 1.0, 76.0
    assert smallest_difference(5, own, paired=True, degrees=noise) < 0.8 * smallest_difference(5, own, paired=True)
    assert smallest_difference(5, own, paired=True, degrees=4) == smallest_difference(5, own, paired=True)
