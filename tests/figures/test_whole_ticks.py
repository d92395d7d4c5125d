"""Ticks of whole numbers."""

from __future__ import annotations

import math

import pytest

from greenexp.figures.scale import whole_ticks


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([1, 3], [1, 2, 3]), ([4], [4]), ([0.5, 3.45], [1, 2, 3]), ([2, math.nan, 10], list(range(2, 11))), ([], [0])],
)
def test_each_number_of_a_short_range_has_one_tick(values: list[float], ticks: list[int]) -> None:
    assert whole_ticks(values)["values"] == ticks


def test_a_long_range_has_whole_steps() -> None:
    axis = whole_ticks(range(1, 200))
    assert (axis["tickMinStep"], "values" in axis) == (1, False)
