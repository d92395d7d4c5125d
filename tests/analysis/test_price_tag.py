"""The price tag of made sweeps, against sums by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from made_sweeps import NO_ENERGY, score_of, sweep
from told import tells

from greenexp.analysis.search.price_tag import REPEATED, price_tag
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.records.energy import MeteredDevice
from greenexp.records.tables import SCHEMA, typed_frame

STOPPED = {"c000": ("stopped", 1), "c003": ("stopped", 3)}


def prices(tables, **options):
    return price_tag(tables, **options)["price"].set_index("quantity")


def test_the_search_is_all_trials_and_the_model_one_of_them():
    found = prices(sweep(ends=STOPPED, scheduler="asha", resources={"cpus_per_trial": 3}))
    assert found.loc["experiments", ["search", "configuration", "model"]].tolist() == [8, 2, 1]
    assert found.loc["train_flops", ["search", "configuration", "model"]].tolist() == [44 * 2e9, 18 * 2e9, 9 * 2e9]
    assert found.loc["examples_seen", "search"] == 44 * 320
    assert found.loc["eval_flops", "search"] == pytest.approx(44 * 1e8)
    assert found.loc["worker_s", "model"] == pytest.approx(9 * 3.2)
    assert found.loc["core_s", "model"] == pytest.approx(3 * 9 * 3.2)


def test_the_product_is_the_price_of_one_epoch_of_every_trial():
    """E D H times the mean number of epochs is what was spent."""
    found = prices(sweep(ends=STOPPED, scheduler="asha", energy_j=3.0))["search"]
    assert found["training_set"] == 320
    assert found["product_flops"] == found["example_flops"] * 320 * 8
    epochs = found["examples_seen"] / (found["training_set"] * found["experiments"])
    assert found["product_flops"] * epochs == pytest.approx(found["train_flops"])
    assert found["product_j"] * epochs == pytest.approx(found["energy_j"]) == 44 * 3.0


def test_what_was_not_measured_is_no_number_and_has_its_reason():
    found = prices(sweep())
    for quantity in ("energy_j", "example_j", "product_j", "carbon_g", "money", "embodied_g"):
        assert math.isnan(found.loc[quantity, "search"])
        assert math.isnan(found.loc[quantity, "model"])
    assert found.loc["energy_j", "reason"] == NO_ENERGY
    assert found.loc["gpu_s", "search"] == 0
    assert "overhead_j" not in found.index


def test_energy_of_no_trial_and_embodied_carbon_are_figures_of_their_own():
    factors = {"embodied_g_per_cpu_h": 2.0, "carbon_g_per_kwh": 100.0}
    tables = sweep(energy_j=3.0, accounting=factors)
    metered = MeteredDevice("n", "s", "cpu", "RAPL", 9.0, 170.0, 110.0, 50.0, 10.0, None, "", None, 0.5, 18, 0, 0.1)
    energy = typed_frame("energy", [metered.to_json()])
    found, plain = prices(dataclasses.replace(tables, energy=energy)), prices(tables)
    assert found.loc["overhead_j", "search"] == 50.0
    assert math.isnan(found.loc["overhead_j", "model"])
    assert found.loc["energy_j", "search"] == plain.loc["energy_j", "search"]
    assert found.loc["embodied_g", "search"] == pytest.approx(2.0 * found.loc["core_s", "search"] / 3600)


def test_parts_add_up_and_repeated_work_is_shown_again():
    tables = sweep(ends={"c000": ("stopped", 1), "c001-i0-o0": ("failed", 4)}, scheduler="asha")
    again = tables.epochs.assign(repeated=(tables.epochs["trial"] == "c002-i0-o0") & (tables.epochs["epoch"] < 3))
    tables = dataclasses.replace(tables, epochs=again)
    parts = price_tag(tables)["parts"].set_index("part")
    assert parts.index[0] == "chosen configuration c002"
    whole = parts.drop(REPEATED)
    assert whole["trials"].sum() == 8
    assert whole["train_flops"].sum() == 2e9 * len(tables.epochs)
    assert whole["share"].sum() == pytest.approx(1.0)
    assert parts.loc[REPEATED, "worker_s"] == pytest.approx(2 * 3.2)


def test_the_last_gain_of_draws_is_that_of_the_expected_best():
    tables = sweep(6, 1)
    scores = np.sort(configuration_table(tables)["score_mean"])
    found = price_tag(tables)["last_gain"].set_index("axis").loc["train_flops"]
    assert found["gain"] == pytest.approx((scores[-1] - scores[-2]) / 6)
    assert found["cost"] == pytest.approx(9 * 2e9)
    assert found["per_point"] == pytest.approx(0.01 * found["cost"] / found["gain"])


def test_the_last_gain_of_a_grid_is_that_of_the_best_so_far():
    """Configurations 0, 1, 2 improve and 3 does not: the gain from 1 to 2 was paid for with 2 and 3."""
    tables = sweep(4, 1, search="grid")
    found = price_tag(tables)["last_gain"].set_index("axis").loc["train_flops"]
    assert found["gain"] == pytest.approx(score_of(2, 0, 9) - score_of(1, 0, 9))
    assert found["cost"] == pytest.approx(2 * 9 * 2e9)
    assert tells(price_tag(tables).verdict[0], "last 1 of 4 configurations did not improve")


@pytest.mark.parametrize("search", ["random", "grid"])
def test_a_smaller_score_that_is_better_gains_too(search):
    """The made scores of a metric that is minimised are 1 less those that are maximised."""
    lower = price_tag(sweep(4, 1, search=search, metric={"name": "loss", "mode": "min", "exit": 2}))
    higher = price_tag(sweep(4, 1, search=search))
    assert lower["last_gain"]["gain"].to_numpy() == pytest.approx(higher["last_gain"]["gain"].to_numpy())
    assert lower["last_gain"]["gain"].gt(0).all()


def test_a_gain_of_bounds_is_said_to_be_one():
    bounded = price_tag(sweep(6, 1, ends={"c000": ("stopped", 1)}, scheduler="asha"))
    assert any(tells(note, "stopped early … lower bounds") for note in bounded.notes)
    assert not any("lower bounds" in note for note in price_tag(sweep(6, 1)).notes)


def test_another_model_than_the_best_has_its_own_price():
    found = price_tag(sweep(ends=STOPPED, scheduler="asha"), trial="c000-i0-o0")["price"].set_index("quantity")
    assert found.loc["train_flops", "model"] == 2e9
    assert found.loc["train_flops", "configuration"] == 18 * 2e9


@pytest.mark.parametrize("search", ["random", "grid"])
def test_a_curve_without_a_gain_is_flat_and_has_no_price_of_a_point(search):
    tables = sweep(4, 1, search=search)
    tables = dataclasses.replace(tables, trials=tables.trials.assign(score=0.5))
    findings = price_tag(tables)
    assert findings["last_gain"]["gain"].eq(0).all()
    assert findings["last_gain"]["per_point"].isna().all()
    assert tells(findings.verdict[0], "flat")


def test_nothing_is_said_of_a_point_with_one_configuration():
    findings = price_tag(sweep(1, 2))
    assert findings["last_gain"].empty
    assert tells(findings.verdict[0], "not known")


def test_a_sweep_without_reports_has_no_price():
    empty = dataclasses.replace(sweep(1, 1), **{name: typed_frame(name, []) for name in SCHEMA})
    assert price_tag(empty).refusal
    assert isinstance(price_tag(sweep(2, 1, ends={"c001": ("planned", 0)}))["price"], pd.DataFrame)


def test_what_trained_a_teacher_is_a_part_of_its_own():
    own = sweep(ends=STOPPED, scheduler="asha")
    origin = {"sources": {"out/first": "0" * 64}, "train_flops": 12e9}
    tables = dataclasses.replace(own, history=dataclasses.replace(own.history, sessions=({"origins": [origin]},)))
    found, parts = prices(tables), price_tag(tables)["parts"].set_index("part")
    assert found.loc["origin_flops", "search"] == 12e9
    assert found.loc["train_flops", "search"] == 44 * 2e9
    assert parts.loc["before this sweep: out/first", "train_flops"] == 12e9
    assert parts.loc["before this sweep: out/first", "share"] == pytest.approx(12 / (12 + 88))
    assert "origin_flops" not in prices(own).index
    unknown = dataclasses.replace(tables.history, sessions=({"origins": [{**origin, "train_flops": None}]},))
    assert math.isnan(prices(dataclasses.replace(tables, history=unknown)).loc["origin_flops", "search"])
