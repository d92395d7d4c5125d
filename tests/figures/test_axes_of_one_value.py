"""Axes of figures of a single value, and titles that are longer than an axis."""

from __future__ import annotations

import math

import pytest
from made_sweeps import sweep

from greenexp.analysis.curves.best_so_far import best_so_far_over
from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.figures.best_so_far import best_so_far_figure
from greenexp.figures.expected_best import expected_best_figure
from greenexp.figures.scale import room_for_one
from greenexp.figures.style import title_lines


def scales(spec):
    return [layer["encoding"]["y"]["scale"] for layer in spec["layer"]]


@pytest.mark.parametrize("values", [[0.7], [0.7, 0.7, math.nan], [-3.0]])
def test_one_value_has_room_on_both_sides(values: list[float]) -> None:
    low, high = room_for_one(values)["domain"]
    assert low < values[0] < high
    assert high - low < abs(values[0])


def test_several_values_and_none_need_no_room() -> None:
    assert room_for_one([0.7, 0.8]) == room_for_one([math.nan]) == {}
    assert room_for_one([0.0])["domain"] == [-1.0, 1.0]


def test_figures_of_a_sweep_with_one_configuration_have_it() -> None:
    one, several = sweep(1, 1, epochs=1), sweep(4, 2)
    for tables, room in ((one, True), (several, False)):
        curve, metric = expected_best(tables), metric_of(tables)
        figures = [
            expected_best_figure(curve, metric),
            best_so_far_figure(best_so_far_over(tables, "train_flops"), "train_flops", metric),
        ]
        assert [all("domain" in scale for scale in scales(figure.spec)) for figure in figures] == [room, room]
    assert expected_best_figure(expected_best(one), metric_of(one)).alt.count(" for 1") == 1


def test_long_titles_are_broken_between_words() -> None:
    title = "Expected best dev accuracy (mean over exits), lower bound"
    lines = title_lines(title)
    assert " ".join(lines) == title
    assert max(map(len, lines)) < 36
    assert title_lines("dev accuracy") == "dev accuracy"
