"""Every figure compiles to SVG, says what it shows, and draws nothing that is not in its table."""

from __future__ import annotations

import dataclasses
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp import figures
from greenexp.analysis.curves.best_so_far import best_so_far_over
from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.curves.evp_over_cost import expected_over_cost
from greenexp.analysis.fronts.operating_points import operating_front
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.savings import rung_table
from greenexp.figures import operating_points, style
from greenexp.figures.render import compact_svg, render_svg
from greenexp.figures.scale import axis_unit

STOPPED = {"c000": ("stopped", 1), "c003": ("stopped", 3)}


def all_figures():
    tables = sweep(ends=STOPPED, scheduler="asha")
    metric = metric_of(tables)
    front = operating_front(tables)
    exits = front.assign(exit=front["threshold"], layer=front["mean_layers"])
    return {
        "best_so_far": figures.best_so_far_figure(best_so_far_over(tables, "wall_s"), "wall_s", metric),
        "expected_best": figures.expected_best_figure(expected_best(tables), metric),
        "expected_over_cost": figures.expected_over_cost_figure(expected_over_cost(sweep(), "train_flops"), metric),
        "operating_points": figures.operating_points_figure(front, metric),
        "exits": figures.exits_figure(exits, "c002", metric),
        "rungs": figures.rungs_figure(rung_table(tables)),
    }


@pytest.fixture(scope="module")
def made():
    return all_figures()


NAMES = ["best_so_far", "expected_best", "expected_over_cost", "operating_points", "exits", "rungs"]


@pytest.mark.parametrize("name", NAMES)
def test_svg_is_well_formed_labelled_and_asks_for_nothing(made, name):
    figure = made[name]
    svg = render_svg(figure)
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == figure.alt
    outside = [value for value in re.findall(r'(?:href|src)="([^"]*)"', svg) if not value.startswith("#")]
    assert outside == []
    assert "<script" not in svg
    assert 500 < float(root.attrib["width"]) <= 620
    assert len(re.findall(r"<(?:path|line|rect)\b", svg)) > 5


@pytest.mark.parametrize("name", NAMES)
def test_svg_is_the_same_each_time(made, name):
    assert render_svg(made[name]) == render_svg(all_figures()[name])


def test_ids_of_different_figures_differ_and_are_defined(made):
    seen: set[str] = set()
    for figure in made.values():
        svg = render_svg(figure)
        ids = set(re.findall(r'\bid="([^"]+)"', svg))
        assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= ids
        assert not ids & seen
        seen |= ids


@pytest.mark.parametrize("name", NAMES)
def test_alt_is_one_sentence_with_numbers(made, name):
    alt = made[name].alt
    assert alt.endswith(".")
    assert ". " not in alt
    assert re.search(r"\d", alt)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("best_so_far", {"score": "score"}),
        ("expected_best", {"n": "configurations", "value": "expected_best"}),
        ("expected_over_cost", {"value": "expected_best"}),
        ("operating_points", {"score": "score"}),
        ("exits", {"score": "score", "exit": "exit"}),
    ],
)
def test_what_is_drawn_is_in_the_table(made, name, columns):
    figure = made[name]
    values = figure.spec["data"]["values"]
    assert len(values) == len(figure.table)
    for drawn, column in columns.items():
        assert [row[drawn] for row in values] == figure.table[column].tolist()


def test_bars_are_the_rung_table(made):
    figure = made["rungs"]
    drawn = [row["trials"] for row in figure.spec["data"]["values"]]
    assert drawn == [*figure.table["went_on"], *figure.table["stopped"]]


def test_specs_are_plain_json_without_not_a_number(made):
    for figure in made.values():
        json.dumps(figure.spec, allow_nan=False)


def test_dominated_points_are_thinned_and_the_front_kept():
    tables = sweep(500, 1, epochs=1, exits=4)
    front = operating_front(tables)
    figure = figures.operating_points_figure(front, metric_of(tables))
    assert len(figure.table) == operating_points.MOST_DOMINATED + front["on_front"].sum()
    assert figure.table["on_front"].sum() == front["on_front"].sum()


def test_thresholds_and_exits_used_alone_are_thinned_apart():
    tables = with_thresholds(sweep(300, 1, epochs=1, exits=4), examples=60, points_alone=True)
    front = operating_front(tables)
    figure = figures.operating_points_figure(front, metric_of(tables))
    behind = figure.table[~figure.table["on_front"]]
    assert (behind["policy"] == "static").sum() == operating_points.MOST_STATIC
    assert len(behind) == operating_points.MOST_DOMINATED
    assert figure.table["on_front"].sum() == front["on_front"].sum()
    assert {row["kind"] for row in figure.spec["data"]["values"]} == {
        "on the front", "one exit for all", "leaving early"
    }  # fmt: skip


def test_nothing_inside_a_figure_has_a_role_of_its_own(made):
    """The figure is one image with one text alternative."""
    for figure in made.values():
        svg = render_svg(figure)
        assert svg.count("role=") == svg.count("aria-") == 1


def test_names_with_markup_stay_text(made):
    figure = dataclasses.replace(made["rungs"], alt='a "<b>" & \x1b[31m.')
    assert ElementTree.fromstring(render_svg(figure)).attrib["aria-label"] == 'a "<b>" & \ufffd[31m.'


def test_single_point_curves_are_drawn():
    tables = sweep(1, 1, epochs=1)
    metric = metric_of(tables)
    for figure in (
        figures.expected_best_figure(expected_best(tables), metric),
        figures.best_so_far_figure(best_so_far_over(tables, "train_flops"), "train_flops", metric),
    ):
        assert len(figure.table) == 1
        assert "NaN" not in render_svg(figure)


@pytest.mark.parametrize(
    ("unit", "largest", "expected"),
    [
        ("s", 100, (1.0, "s")),
        ("s", 600, (60.0, "min")),
        ("s", 50_000, (3600.0, "h")),
        ("FLOP", 3.2e10, (1e9, "GFLOP")),
        ("FLOP", 12, (1.0, "FLOP")),
        ("J", 0.2, (1.0, "J")),
        ("", 4000, (1.0, "")),
        ("FLOP", float("nan"), (1.0, "FLOP")),
    ],
)
def test_axis_units(unit, largest, expected):
    assert axis_unit(unit, largest) == expected


def contrast(a, b):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colour", [style.BLUE, style.VERMILLION, style.GREEN, style.GREY])
def test_marks_stand_out_from_white(colour):
    """WCAG 2.2, 1.4.11: 3:1 for graphics."""
    assert contrast(colour, "#ffffff") >= 3


def test_text_stands_out_from_white():
    assert contrast(style.INK, "#ffffff") >= 7


@pytest.mark.parametrize("name", NAMES)
def test_a_compact_drawing_is_the_same_to_a_hundredth_of_a_pixel(made, name):
    whole, compact = render_svg(made[name]), compact_svg(made[name])
    numbers = [re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", svg) for svg in (whole, compact)]
    assert len(compact) < len(whole)
    assert np.allclose(*(np.array(found, dtype=np.float64) for found in numbers), rtol=0, atol=0.0051)
    texts = [re.findall(r">([^<]+)</text>", svg) for svg in (whole, compact)]
    assert texts[0] == texts[1]
