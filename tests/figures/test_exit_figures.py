"""Figures about leaving early: whole, labelled, and nothing in them that is not in their tables."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from made_sweeps import sweep, with_thresholds

from greenexp import figures
from greenexp.analysis.exits.confusion import confusion
from greenexp.analysis.exits.overthinking import overthinking
from greenexp.analysis.exits.policy_curves import policy_curves, static_points
from greenexp.analysis.sweeps.chosen import chosen_trials
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.figures import Figure
from greenexp.figures.exit_profiles import stacked
from greenexp.figures.policy_curves import MOST_POLICIES
from greenexp.figures.render import render_svg
from greenexp.records.tables import SweepTables

POLICIES = ("max_probability", "entropy", "patience", "voting", "oracle")
TRIAL = "c001-i0-o0"
NAMES = ["speed_up", "inference_flops", "profiles", "overthinking", "confusion", "reliability"]


def all_figures(tables: SweepTables) -> dict[str, Figure]:
    metric, chosen = metric_of(tables), chosen_trials(tables)
    points = chosen.rows(tables.operating_points)
    alone = static_points(points)
    bins = tables.reliability[(tables.reliability["trial"] == TRIAL) & (tables.reliability["split"] == "dev")]
    own = tables.exit_profiles[tables.exit_profiles["trial"] == TRIAL]
    return {
        **{
            price: figures.policy_curves_figure(policy_curves(points, price, minimize=False), alone, price, metric)
            for price in ("speed_up", "inference_flops")
        },
        "profiles": figures.exit_profiles_figure(own, list(POLICIES[:4]), TRIAL),
        "overthinking": figures.overthinking_figure(
            overthinking(tables.overthinking[tables.overthinking["configuration"] == "c001"])
        ),
        "confusion": figures.confusion_figure(confusion(tables.confusion[tables.confusion["configuration"] == "c001"])),
        "reliability": figures.reliability_figure(
            bins[bins["exit"].isin([1, 2, 4])], {1: (0.1, 0.01), 2: (0.2, 0.02), 4: (0.3, 0.03)}, TRIAL, "dev"
        ),
    }


@pytest.fixture(scope="module")
def tables() -> SweepTables:
    return with_thresholds(sweep(2, 2, exits=4), examples=200, policies=POLICIES)


@pytest.fixture(scope="module")
def made(tables: SweepTables) -> dict[str, Figure]:
    return all_figures(tables)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_whole_labelled_and_fits_the_page(made: dict[str, Figure], name: str) -> None:
    figure = made[name]
    svg = render_svg(figure)
    root = ElementTree.fromstring(svg)
    assert root.attrib["aria-label"] == figure.alt
    assert 500 < float(root.attrib["width"]) <= 620
    assert svg.count("role=") == svg.count("aria-") == 1
    assert [link for link in re.findall(r'(?:href|src)="([^"]*)"', svg) if not link.startswith("#")] == []
    json.dumps(figure.spec, allow_nan=False)
    assert figure.alt.endswith(".")
    assert ". " not in figure.alt
    assert re.search(r"\d", figure.alt)


def test_figures_are_the_same_each_time(tables: SweepTables, made: dict[str, Figure]) -> None:
    again = all_figures(tables)
    for name, figure in made.items():
        assert render_svg(again[name]) == render_svg(figure)
    assert len({figure.name for figure in made.values()}) == len(made)


@pytest.mark.parametrize(("name", "divisor"), [("speed_up", 1.0), ("inference_flops", 1e6)])
def test_every_point_of_the_curves_is_in_the_table(made: dict[str, Figure], name: str, divisor: float) -> None:
    figure = made[name]
    values = figure.spec["data"]["values"]
    assert [row["score"] for row in values] == figure.table["score_mean"].tolist()
    assert [row["price"] * divisor for row in values] == pytest.approx(figure.table[name].tolist())
    alone = figure.table["exit"].notna()
    assert {row["policy"] for row, one in zip(values, alone, strict=True) if one} == {"one exit for all"}


def test_the_oracle_is_dashed_grey_and_called_a_bound(made: dict[str, Figure]) -> None:
    encoding = made["speed_up"].spec["layer"][0]["encoding"]
    names = encoding["color"]["scale"]["domain"]
    assert names[-1] == "oracle (bound, not a policy)"
    assert encoding["color"]["scale"]["range"][-1] == figures.style.GREY
    assert encoding["strokeDash"]["scale"]["range"][-1] == [4, 4]
    assert figures.style.GREY not in encoding["color"]["scale"]["range"][:-1]
    assert "oracle (bound, not a policy)" in made["speed_up"].alt


def test_no_two_policies_share_colour_and_dash_and_the_rest_is_not_drawn() -> None:
    rows = [(f"p{k}", 1.0 + x, 2, 0.9 - x / 10, 0.01) for k in range(MOST_POLICIES + 2) for x in (0, 1)]
    curves = pd.DataFrame(rows, columns=["policy", "price", "trials", "score_mean", "score_std"])
    alone = pd.DataFrame(columns=["exit", "trials", "score_mean", "score_std", "speed_up", "inference_flops"])
    metric = metric_of(sweep(1, 1))
    figure = figures.policy_curves_figure(curves, alone, "speed_up", metric)
    encoding = figure.spec["layer"][0]["encoding"]
    looks = zip(encoding["color"]["scale"]["range"], map(str, encoding["strokeDash"]["scale"]["range"]), strict=True)
    assert len(set(looks)) == MOST_POLICIES
    assert figure.table["policy"].nunique() == MOST_POLICIES
    assert "NaN" not in render_svg(figure)


def test_bars_of_a_profile_fill_the_panel_without_gaps(tables: SweepTables) -> None:
    rows = tables.exit_profiles
    bars = stacked(rows[(rows["trial"] == TRIAL) & (rows["policy"] == "max_probability")])
    for _, point in bars.groupby("speed_up"):
        assert point["bottom"].tolist() == pytest.approx([0, *point["top"][:-1]], abs=1e-9)
        assert point["top"].iloc[-1] == pytest.approx(1)
        assert (point["left"] <= point["speed_up"]).all()
        assert (point["speed_up"] <= point["right"]).all()
    edges = bars.drop_duplicates("speed_up")
    assert edges["right"].tolist()[:-1] == edges["left"].tolist()[1:]


def test_a_policy_with_one_point_is_drawn(tables: SweepTables) -> None:
    rows = tables.exit_profiles
    own = rows[(rows["trial"] == TRIAL) & (rows["policy"] == "patience")]
    one = own[own["speed_up"] == own["speed_up"].max()]
    figure = figures.exit_profiles_figure(one, ["patience"], TRIAL)
    assert len(figure.table) == 4
    assert "NaN" not in render_svg(figure)
    bars = stacked(one)
    assert (bars["right"] > bars["left"]).all()


def test_empty_bins_are_not_drawn(made: dict[str, Figure], tables: SweepTables) -> None:
    figure = made["reliability"]
    assert (figure.table["examples"] > 0).all()
    assert not figure.table["accuracy"].isna().any()
    drawn = [row for row in figure.spec["data"]["values"] if row["kind"] != "confidence = accuracy"]
    assert [row["accuracy"] for row in drawn] == figure.table["accuracy"].tolist()
    assert [row["examples"] for row in drawn] == figure.table["examples"].tolist()


def test_shares_drawn_are_those_of_the_table(made: dict[str, Figure]) -> None:
    figure = made["overthinking"]
    drawn = np.array([row["share"] for row in figure.spec["data"]["values"]])
    table = figure.table[["right", "first_right", "right_then_wrong"]]
    assert drawn.tolist() == table.to_numpy().T.ravel().tolist()
