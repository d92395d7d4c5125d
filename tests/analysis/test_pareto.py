"""Fronts and hypervolumes against the definition and moocore."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.analysis.fronts.pareto import hypervolume, pareto_front

NAN = float("nan")
CELL = st.integers(-3, 3).map(float)  # few values, so that ties and duplicates are common


def tables(columns, cell=CELL):
    return st.lists(st.tuples(*[cell] * columns), min_size=1, max_size=25).map(np.array)


def dominated(points):
    return np.array([any((b <= a).all() and (b < a).any() for b in points) for a in points])


@given(st.integers(1, 4).flatmap(tables))
def test_front_is_the_definition(points):
    np.testing.assert_array_equal(pareto_front(points), ~dominated(points))


@given(tables(2))
def test_front_equals_moocore(points):
    expected = moocore.is_nondominated(points, maximise=[False, True], keep_weakly=True)
    np.testing.assert_array_equal(pareto_front(points, ("min", "max")), expected)


@given(tables(2), st.randoms())
def test_front_follows_its_rows_and_is_its_own_front(points, random):
    front = pareto_front(points)
    order = list(range(len(points)))
    random.shuffle(order)
    np.testing.assert_array_equal(pareto_front(points[order]), front[order])
    assert pareto_front(points[front]).all()


@given(tables(3, st.one_of(CELL, st.just(NAN))))
def test_a_row_with_nan_neither_stays_nor_removes(points):
    known = ~np.isnan(points).any(axis=1)
    front = pareto_front(points)
    assert not front[~known].any()
    if known.any():
        np.testing.assert_array_equal(front[known], pareto_front(points[known]))


def test_copies_stand_or_fall_together():
    points = [[1, 2], [1, 2], [2, 1], [2, 2], [2, 2]]
    assert pareto_front(points).tolist() == [True, True, True, False, False]


def test_infinite_values_are_values():
    assert pareto_front([[-np.inf, 1], [0, np.inf], [0, 0]]).tolist() == [True, False, True]


def test_no_rows():
    assert pareto_front(np.empty((0, 2))).shape == (0,)
    assert hypervolume(np.empty((0, 2)), (1, 1)) == 0.0


@given(tables(2, st.floats(-2, 2)))
def test_hypervolume_equals_moocore(points):
    expected = moocore.hypervolume(points, ref=[1.5, 1.0])
    assert hypervolume(points, (1.5, 1.0)) == pytest.approx(expected, abs=1e-12)


@given(tables(2, st.one_of(CELL, st.just(NAN))))
def test_hypervolume_is_of_the_front_alone(points):
    whole = hypervolume(points, (2, -2), ("min", "max"))
    assert whole == hypervolume(points[pareto_front(points, ("min", "max"))], (2, -2), ("min", "max"))
    assert whole >= max((hypervolume(row[None], (2, -2), ("min", "max")) for row in points), default=0.0)


def test_hypervolume_by_hand():
    assert hypervolume([[1, 3], [2, 1], [3, 3], [NAN, 0]], (4, 4)) == 3 * 1 + 2 * 2
    assert hypervolume([[10, 0.9]], (20, 0.5), ("min", "max")) == pytest.approx(4)
    assert hypervolume([[4, 0]], (4, 4)) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pareto_front([1, 2]), "shape"),
        (lambda: pareto_front([[1, 2]], "maxx"), "'max'"),
        (lambda: pareto_front([[1, 2]], ("min",)), "1 directions for 2 columns"),
        (lambda: hypervolume([[1, 2, 3]], (1, 1)), "3 finite numbers"),
        (lambda: hypervolume([[1, 2]], (1, NAN)), "finite"),
        (lambda: hypervolume([[-np.inf, 2]], (1, 4)), "infinite area"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
