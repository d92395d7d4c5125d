"""Random draws, grids and listed points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from greenexp.plan.searching import proposals
from greenexp.records.search_space import Choice, Int, LogUniform, Uniform, between
from greenexp.searches.grid import Grid, grid_values
from greenexp.searches.points import Points
from greenexp.searches.random import Random, draw, generator

SPACE = {
    "training.learning_rate": LogUniform(dist="loguniform", low=1e-5, high=1e-2, steps=4),
    "training.batch_size": Int(dist="int", low=8, high=33, step=8),
    "method.weights": Choice(dist="choice", values=("uniform", "linear", None)),
}


def drawn(samples: int, space: dict[str, Any], seed: int = 0) -> list[dict[str, Any]]:
    return [dict(point.values) for point in proposals(Random(samples, seed), space, {"score": "max"})]


def test_more_samples_keep_the_earlier_ones() -> None:
    assert drawn(50, SPACE)[:20] == drawn(20, SPACE)


def test_another_field_or_another_order_changes_no_value() -> None:
    fewer = dict(list(SPACE.items())[:2])
    swapped = dict(reversed(SPACE.items()))
    for all_, some, other in zip(drawn(20, SPACE), drawn(20, fewer), drawn(20, swapped), strict=True):
        assert all_ == other
        assert some.items() <= all_.items()


def test_seeds_and_fields_are_independent_streams() -> None:
    assert drawn(20, SPACE, seed=1) != drawn(20, SPACE, seed=2)
    same = Uniform(dist="uniform", low=0, high=1)
    values = drawn(200, {"a.b": same, "a.c": same})
    assert abs(np.corrcoef([v["a.b"] for v in values], [v["a.c"] for v in values])[0, 1]) < 0.25


def test_the_draws_are_part_of_the_format() -> None:
    """Changing them would make every published sweep another one."""
    assert drawn(1, SPACE)[0]["training.learning_rate"] == pytest.approx(5.2078926077292195e-05, rel=1e-12)


def sample(distribution: Any, n: int = 2000) -> list[Any]:
    return [draw(distribution, generator(0, i, "x")) for i in range(n)]


def test_uniform_and_loguniform_follow_their_law() -> None:
    uniform = sample(Uniform(dist="uniform", low=-2, high=3))
    assert stats.kstest(uniform, stats.uniform(-2, 5).cdf).pvalue > 0.01
    logs = np.log(sample(LogUniform(dist="loguniform", low=1e-5, high=1e-1)))
    assert stats.kstest(logs, stats.uniform(math.log(1e-5), math.log(1e4)).cdf).pvalue > 0.01


def test_int_and_choice_are_equally_likely() -> None:
    steps = sample(Int(dist="int", low=8, high=33, step=8))
    assert set(steps) == {8, 16, 24, 32}
    assert stats.chisquare(np.unique(steps, return_counts=True)[1]).pvalue > 0.01
    chosen = sample(Choice(dist="choice", values=(True, "a", 1.5)))
    assert stats.chisquare([chosen.count(value) for value in (True, "a", 1.5)]).pvalue > 0.01


def test_values_are_plain() -> None:
    for point in drawn(20, SPACE):
        assert all(type(value) in (int, float, str, type(None)) for value in point.values())


bounds = st.tuples(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300)).filter(lambda b: b[0] < b[1])


@given(bounds, st.floats(0, 1))
def test_no_value_leaves_the_range(ends: tuple[float, float], part: float) -> None:
    low, high = ends
    assert low <= between(Uniform(dist="uniform", low=low, high=high), part) <= high
    assert low <= between(LogUniform(dist="loguniform", low=low, high=high), part) <= high


def test_grid_values() -> None:
    assert grid_values(SPACE["training.batch_size"]) == (8, 16, 24, 32)
    assert grid_values(SPACE["method.weights"]) == ("uniform", "linear", None)
    assert grid_values(SPACE["training.learning_rate"]) == pytest.approx((1e-5, 1e-4, 1e-3, 1e-2))
    assert grid_values(Uniform(dist="uniform", low=0, high=0.3, steps=4)) == pytest.approx((0, 0.1, 0.2, 0.3))
    assert grid_values(LogUniform(dist="loguniform", low=0.1, high=0.7, steps=2)) == (0.1, 0.7)


def test_a_grid_is_every_combination_the_last_field_fastest() -> None:
    found = [dict(point.values) for point in proposals(Grid(), SPACE, {"score": "max"})]
    assert len(found) == 4 * 4 * 3
    assert [point["method.weights"] for point in found[:4]] == ["uniform", "linear", None, "uniform"]
    assert len({tuple(point.values()) for point in found}) == len(found)


def test_points_are_taken_as_listed() -> None:
    first, second = proposals(Points(({"a.b": 1}, {"a.c": "x"})), {}, {"score": "max"})
    assert (first.values, first.places) == ({"a.b": 1}, {"a.b": "search.points.0.a.b"})
    assert second.place == "search.points.1"
