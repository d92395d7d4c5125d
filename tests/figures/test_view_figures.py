"""Figures of views: whole, labelled, with tooltips that say no more than the tables of their findings."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from made_sweeps import sweep, with_thresholds
from told import tells

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.compared_sweeps import compared_sweeps
from greenexp.analysis.views.contours import score_contour
from greenexp.analysis.views.learning_curves import learning_curves
from greenexp.analysis.views.one_trial import trial_view
from greenexp.analysis.views.operating_points import operating_point_table
from greenexp.analysis.views.over_seeds import configurations_over_seeds
from greenexp.analysis.views.parallel import parallel_coordinates
from greenexp.analysis.views.slices import score_slices
from greenexp.analysis.views.timeline import worker_timeline
from greenexp.figures import Figure, style, views
from greenexp.figures.render import render_svg
from greenexp.figures.views import timeline
from greenexp.figures.views.channels import of_scores
from greenexp.records.stints import Stint
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import SweepTables

ENDS = {"c000": ("stopped", 1), "c003-i0-o0": ("failed", 2), "c004-i0-o0": ("interrupted", 1)}
SPACE = {
    "training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-2},
    "training.warmup": {"dist": "uniform", "low": 0.0, "high": 1.0},
}
DRAWN = {
    "learning": views.learning_curve_figures, "learning by rate": views.learning_curve_figures,
    "configurations": views.configuration_figures, "parallel": views.parallel_figures, "slices": views.slice_figures,
    "contour": views.contour_figures, "workers": views.timeline_figures, "trial": views.trial_figures,
    "sweeps": views.compared_sweep_figures, "points": views.operating_point_figures,
}  # fmt: skip


def two_fields() -> SweepTables:
    tables = sweep(14, 2, ends=ENDS, scheduler="asha", epochs=4)
    spec = SweepSpec.from_json({**tables.spec.model_dump(mode="json"), "space": SPACE})
    warmup = [0.07 * (5 * (index // 2) % 14) for index in tables.trials["index"]]
    return dataclasses.replace(tables, spec=spec, trials=tables.trials.assign(**{"params.training.warmup": warmup}))


@pytest.fixture(scope="module")
def found() -> dict[str, Findings]:
    tables = two_fields()
    return {
        "learning": learning_curves(tables),
        "learning by rate": learning_curves(tables, by="training.learning_rate", axis="train_flops"),
        "configurations": configurations_over_seeds(tables),
        "parallel": parallel_coordinates(tables),
        "slices": score_slices(tables),
        "contour": score_contour(tables),
        "workers": worker_timeline(tables),
        "trial": trial_view(tables, "c002-i0-o0"),
        "sweeps": compared_sweeps({"a": tables, "b": sweep()}, axis="train_flops"),
        "points": operating_point_table(with_thresholds(sweep(1, 1), examples=60)),
    }


def figures_of(found: dict[str, Findings], name: str) -> tuple[Figure, ...]:
    return DRAWN[name](found[name])


def test_seeds_of_one_model_have_a_row_each() -> None:
    tables = sweep(1, 2)
    a, b = tables.trials["trial"]
    stints = (Stint(a, 1, 0, 0.0, 9.0, "finished", (b,)), Stint(b, 1, 0, 0.0, 9.0, "finished", (a,)))
    history = dataclasses.replace(tables.history, stints=stints)
    (figure,) = views.timeline_figures(worker_timeline(dataclasses.replace(tables, history=history)))
    rows = [row for layer in figure.spec["layer"] for row in layer["data"]["values"] if "row" in row]
    assert {row["row"] for row in rows} == {"1.1", "1.2"}
    assert {row["row"] for row in rows if row.get("trial") == b} == {"1.2"}
    assert tells(figure.alt, "1 worker … row for each seed")
    ElementTree.fromstring(render_svg(figure))


def test_figures_of_different_sweeps_have_titles_of_their_own() -> None:
    """A screen reader lists them by these."""
    other = sweep(metric={"name": "macro_f1"})
    figures = views.compared_sweep_figures(compared_sweeps({"one": sweep(), "two": sweep(2, 2), "three": other}))
    assert [[name in figure.title for name in ("one", "two", "three")] for figure in figures] == [
        [True, True, False],
        [False, False, True],
    ]


@pytest.mark.parametrize("name", DRAWN)
def test_each_is_a_whole_labelled_image(found: dict[str, Findings], name: str) -> None:
    figures = figures_of(found, name)
    assert figures
    for figure in figures:
        root = ElementTree.fromstring(render_svg(figure))
        assert root.attrib["aria-label"] == figure.alt
        assert figure.alt.endswith(".")
        assert ". " not in figure.alt.replace("...", "")
        assert re.search(r"\d", figure.alt)
        json.dumps(figure.spec, allow_nan=False)
        assert len(figure.table)
    assert len({figure.name for figure in figures}) == len(figures)


def marks(spec: Any) -> Iterator[dict[str, Any]]:
    """Every part of a specification that has a mark."""
    if isinstance(spec, dict):
        if "mark" in spec:
            yield spec
        for inner in spec.values():
            yield from marks(inner)
    elif isinstance(spec, list):
        for inner in spec:
            yield from marks(inner)


@pytest.mark.parametrize("name", DRAWN)
def test_hover_says_nothing_that_the_tables_do_not(found: dict[str, Findings], name: str) -> None:
    columns = {str(column) for frame in found[name].tables.values() for column in frame}
    own = {"trial": {"split", "value"}, "sweeps": {"group", "x", "y"}}.get(name, set())
    for figure in figures_of(found, name):
        tooltips = [mark["encoding"]["tooltip"] for mark in marks(figure.spec) if "tooltip" in mark.get("encoding", {})]
        assert tooltips
        assert {field["field"] for one in tooltips for field in one} <= columns | own


@pytest.mark.parametrize("name", DRAWN)
def test_colours_are_those_of_the_style(found: dict[str, Findings], name: str) -> None:
    known = {value.lower() for value in vars(style).values() if isinstance(value, str) and value.startswith("#")}
    for figure in figures_of(found, name):
        used = set(re.findall(r"#[0-9a-fA-F]{6}", json.dumps({**figure.spec, "config": {}})))
        assert {colour.lower() for colour in used} <= known | {"#ffffff"}


def test_ends_are_told_apart_by_shape(found: dict[str, Findings]) -> None:
    (figure,) = figures_of(found, "learning")
    shapes = [mark["encoding"]["shape"]["scale"] for mark in marks(figure.spec) if "shape" in mark["encoding"]]
    assert len(shapes) == 1
    assert set(shapes[0]["domain"]) == set(found["learning"]["ends"]["end"])
    assert len(set(shapes[0]["range"])) == len(shapes[0]["domain"])


def test_a_contour_has_its_surface_below_its_points(found: dict[str, Findings]) -> None:
    (figure,) = figures_of(found, "contour")
    kinds = [layer["mark"]["type"] for layer in figure.spec["layer"]]
    assert kinds == ["rect", "point"]
    assert len(figure.spec["layer"][0]["data"]["values"]) == len(found["contour"]["surface"]) > 0


def test_many_segments_are_joined_and_keep_their_time(
    found: dict[str, Findings], monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = figures_of(found, "workers")
    monkeypatch.setattr(timeline, "MOST_SEGMENTS", 5)
    (joined,) = figures_of(found, "workers")
    assert len(joined.table) < len(whole.table)
    assert joined.table["seconds"].sum() == pytest.approx(whole.table["seconds"].sum())
    assert set(joined.table["trial"]) == set(whole.table["trial"])


def test_lines_of_one_kind_have_a_width(found: dict[str, Findings]) -> None:
    curves = found["learning"]
    alone = {name: frame.assign(group="other configurations") if "group" in frame else frame
             for name, frame in curves.tables.items()}  # fmt: skip
    (figure,) = views.learning_curve_figures(dataclasses.replace(curves, tables=alone))
    assert "NaN" not in render_svg(figure)


def test_a_refusal_has_no_figure() -> None:
    for draw in set(DRAWN.values()):
        assert draw(Findings(refusal="there is nothing")) == ()


def test_an_axis_of_one_value_says_which() -> None:
    channel = of_scores("score", "Score", [0.7025, 0.7025, float("nan")])
    low, high = channel["scale"]["domain"]
    assert low < 0.7025 < high
    assert channel["axis"]["values"] == [0.7025]
    assert "domain" not in of_scores("score", "Score", [0.7, 0.8])["scale"]
