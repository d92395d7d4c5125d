"""Lines of groups: told apart without colour, named at their ends, each ending where its rows end."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from told import tells

from greenexp.figures import Channel, comparison_figure
from greenexp.figures.comparison import MOST_GROUPS
from greenexp.figures.end_labels import LETTER_WIDTH, LINE_HEIGHT, Frame, label_heights
from greenexp.figures.render import render_svg

X, Y = Channel("runs", "Number of runs", whole=True), Channel("value", "Expected best")


def lines(**sizes):
    return pd.DataFrame(
        [(name, n, 1 - 1 / (n + k)) for k, (name, size) in enumerate(sizes.items(), 1) for n in range(1, size + 1)],
        columns=["group", "runs", "value"],
    )


def figure(table, step=False):
    return comparison_figure("compared", "Compared", table, X, Y, {"a": "N = 5"}, step=step)


@pytest.mark.parametrize("step", [False, True])
def test_svg_is_labelled_and_fits_the_page(step):
    made = figure(lines(a=5, b=9, c=1), step)
    root = ElementTree.fromstring(render_svg(made))
    assert root.attrib["aria-label"] == made.alt
    assert float(root.attrib["width"]) <= 620
    assert render_svg(made) == render_svg(figure(lines(a=5, b=9, c=1), step))
    json.dumps(made.spec, allow_nan=False)


def test_each_line_ends_at_its_own_n():
    made = figure(lines(a=5, b=9, c=1))
    assert made.spec["data"]["values"] == [
        {"group": group, "x": float(n), "y": value} for group, n, value in made.table.itertuples(index=False)
    ]
    ends = {label["group"]: (label["x"], label["label"]) for label in made.spec["layer"][1]["data"]["values"]}
    assert ends == {"a": (5.0, "a (N = 5)"), "b": (9.0, "b"), "c": (1.0, "c")}
    assert tells(made.alt, "0.5 at 1 … 0.8333 at 5")


def test_no_two_lines_share_colour_and_dash():
    made = figure(lines(**{f"g{k}": 2 + k for k in range(MOST_GROUPS + 3)}))
    encoding = made.spec["layer"][0]["encoding"]
    looks = list(
        zip(encoding["color"]["scale"]["range"], map(str, encoding["strokeDash"]["scale"]["range"]), strict=True)
    )
    assert len(looks) == len(set(looks)) == MOST_GROUPS
    assert made.table["group"].nunique() == MOST_GROUPS


@pytest.mark.parametrize(
    "table", [lines(a=1), lines(a=1, b=1), lines(a=3).assign(value=0.0), lines(a=2).assign(runs=0)]
)
def test_lines_without_extent_are_drawn(table):
    assert "NaN" not in render_svg(figure(table))


def test_a_long_name_keeps_both_ends():
    made = figure(lines(microsoft_deberta_v3_large_mnli=3))
    assert made.spec["layer"][1]["data"]["values"][0]["label"] == "microsoft…large_mnli"


@pytest.mark.parametrize("seed", range(5))
def test_labels_do_not_cover_each_other(seed):
    rng = np.random.default_rng(seed)
    ends = {f"g{k}": [(1.0, 0.5), (float(rng.integers(2, 12)), float(rng.uniform(0.45, 0.55)))] for k in range(8)}
    frame = Frame(380, 270, (1.0, 12.0), (0.0, 1.0))
    heights = label_heights(ends, dict.fromkeys(ends, "a label"), frame, step=False)
    boxes = [(line[-1][0] / 11 * 380, (1 - heights[name]) * 270) for name, line in ends.items()]
    for place, (left, top) in enumerate(boxes):
        for other_left, other_top in boxes[place + 1 :]:
            if abs(left - other_left) < 7 * LETTER_WIDTH:
                assert abs(top - other_top) > LINE_HEIGHT - 1e-6


def test_a_label_moves_off_a_line_that_runs_through_it():
    frame = Frame(380, 270, (0.0, 10.0), (0.0, 1.0))
    across = {"long": [(0.0, 0.5), (10.0, 0.5)], "short": [(0.0, 0.4), (3.0, 0.5)]}
    heights = label_heights(across, {"long": "long", "short": "short"}, frame, step=False)
    assert heights["long"] == pytest.approx(0.5)
    assert abs(heights["short"] - 0.5) * 270 == pytest.approx(LINE_HEIGHT)


def test_a_band_is_drawn_to_the_edge_where_it_is_open():
    table = lines(a=3, b=3)
    table = table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)
    table.loc[table["group"] == "b", "high"] = np.nan
    made = comparison_figure("compared", "Compared", table, X, Y, {}, band=("low", "high"))
    rows = made.spec["data"]["values"]
    top = made.spec["layer"][0]["encoding"]["y"]["scale"]["domain"][1]
    assert [row["high"] for row in rows if row["group"] == "b"] == [top] * 3
    assert [row["edge_high"] for row in rows if row["group"] == "b"] == [None] * 3
    assert all(row["low"] < row["y"] < row["high"] for row in rows)
    assert {layer["mark"]["type"] for layer in made.spec["layer"][:3]} == {"area", "line"}
    assert tells(made.alt, "band … to open")
    ElementTree.fromstring(render_svg(made))
    json.dumps(made.spec, allow_nan=False)


def test_a_few_whole_numbers_have_a_tick_each():
    axis = figure(lines(a=3)).spec["layer"][0]["encoding"]["x"]["axis"]
    assert axis["values"] == [1, 2, 3]
