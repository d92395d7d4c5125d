"""Figures of bands, seeds, importance and fronts: well formed, labelled, and drawing what their tables hold."""

from __future__ import annotations

import json
import math
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep
from told import tells

from greenexp import figures
from greenexp.analysis.fronts.front_over_trials import attained_fronts, front_over_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.figures.render import render_svg

X, Y = (
    figures.Channel("n", "Number of runs", whole=True),
    figures.Channel("value", "Median best accuracy of something long"),
)
NAN = math.nan


def band(rows=4):
    return pd.DataFrame({
        "n": np.arange(1, rows + 1), "value": np.linspace(0.5, 0.8, rows),
        "lower_80": np.linspace(0.4, 0.7, rows), "upper_80": [0.6, *[NAN] * (rows - 1)],
        "lower_95": [NAN, *np.linspace(0.35, 0.65, rows - 1)], "upper_95": [NAN] * rows,
    })  # fmt: skip


def all_figures():
    tables = sweep(5, 2, epochs=2)
    metric, found = metric_of(tables), front_over_trials(tables)
    chosen, curves = attained_fronts(tables)
    strip = tables.trials.assign(mean=tables.trials.groupby("configuration")["score"].transform("mean"))
    importance = pd.DataFrame({"parameter": ["a.b", "c"], "importance": [0.9, 0.1], "by_chance": [0.01, 0.5]})
    return {
        "band": figures.banded_curve_figure("band", "Band", band(), X, Y, ("80", "95")),
        "difference": figures.banded_curve_figure("difference", "Difference", band(), X, Y, ("80", "95"), zero=True),
        "seeds": figures.seeds_figure(strip, metric.label),
        "importance": figures.importance_figure(importance),
        "front": figures.front_over_trials_figure(found.curve, found.per_seed, ("Best accuracy", "over prices")),
        "attainment": figures.attainment_figure(curves, 2, chosen, metric),
    }


@pytest.fixture(scope="module")
def made():
    return all_figures()


NAMES = ["band", "difference", "seeds", "importance", "front", "attainment"]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_well_formed_labelled_and_fits(made, name):
    figure = made[name]
    svg = render_svg(figure)
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == figure.alt
    assert 400 < float(root.attrib["width"]) <= 620
    assert svg.count("role=") == 1
    assert svg == render_svg(all_figures()[name])
    json.dumps(figure.spec, allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_alternative_is_one_sentence_with_numbers(made, name):
    alt = made[name].alt
    assert alt.endswith(".")
    assert ". " not in alt
    assert re.search(r"\d", alt)
    assert "nan" not in alt


def test_open_bounds_reach_the_edge_and_have_no_line(made):
    figure = made["band"]
    rows = figure.spec["data"]["values"]
    low, high = next(
        layer["encoding"]["y"]["scale"]["domain"] for layer in figure.spec["layer"] if layer["mark"]["type"] == "area"
    )
    assert low < 0.35
    assert high > 0.8
    assert [row["upper_95"] for row in rows] == [None, high, high, high], "open on both sides: no area"
    assert [row["line_upper_95"] for row in rows] == [None] * 4
    assert [row["upper_80"] for row in rows] == [0.6, high, high, high]
    assert rows[0]["lower_95"] is None
    assert rows[1]["line_lower_95"] == 0.35
    assert tells(figure.alt, "0.5000 at 1 … 0.8000 at 4 … 0.6500")


def test_a_difference_has_a_line_at_nothing(made):
    assert "rule" in [layer["mark"]["type"] for layer in made["difference"].spec["layer"]]
    assert "rule" not in [layer["mark"]["type"] for layer in made["band"].spec["layer"]]


def test_one_place_alone_is_drawn():
    figure = figures.banded_curve_figure("one", "One", band(1), X, Y, ("80", "95"))
    assert "NaN" not in render_svg(figure)


def test_lines_of_fronts_are_their_tables(made):
    front, attainment = made["front"], made["attainment"]
    assert [row["value"] for row in front.spec["data"]["values"]] == front.table["value"].tolist()
    assert set(front.table["seed"]) == {"mean", "0-7", "1-7"}
    assert [row["score"] for row in attainment.spec["data"]["values"]] == attainment.table["score"].tolist()
    assert {row["level"] for row in attainment.spec["data"]["values"]} == {"at least 1 of 2 seeds", "all 2 seeds"}
    scale = attainment.spec["layer"][0]["encoding"]
    assert len(set(map(str, scale["strokeDash"]["scale"]["range"]))) == 2, "told apart without colour"


def test_trials_that_did_not_finish_have_another_shape():
    tables = sweep(3, 2, epochs=2, ends={"c000": ("stopped", 1)}, scheduler="asha")
    table = tables.trials.assign(mean=NAN)
    figure = figures.seeds_figure(table, metric_of(tables).label)
    kinds = {row["kind"] for row in figure.spec["data"]["values"]}
    assert kinds == {"one seed", "one seed, best so far"}
    shapes = figure.spec["layer"][0]["encoding"]["shape"]["scale"]["range"]
    assert len(set(shapes)) == 2
