"""The price tag as the report shows it."""

from __future__ import annotations

import dataclasses
import math

import pytest
from made_sweeps import sweep
from told import tells

from greenexp.records.tables import SCHEMA, typed_frame
from greenexp.report.sections import costs
from greenexp.report.sections.price_tag import amount, section


def cells(tables):
    shown = section(tables).tables[0]
    return {row[0]: row[1:] for row in shown.cells()}


def test_search_and_model_stand_side_by_side():
    rows = cells(sweep(energy_j=3.0, accounting={"currency": "EUR"}))
    assert rows["Training FLOPs"][:3] == ["144 GFLOP", "36 GFLOP", "18 GFLOP"]
    assert rows["Energy"][0] == "6e-05 kWh"
    assert rows["Money"][:3] == ["not measured"] * 3
    assert tells(section(sweep()).headline[0], "8 trials … 8 times")


def test_nothing_is_shown_as_zero_that_was_not_measured():
    rows = cells(sweep())
    assert rows["Energy"][0] == "not measured"
    assert "energy counter" in rows["Energy"][3]
    assert rows["GPU hours"][0] == "0 h"


@pytest.mark.parametrize(
    ("quantity", "unit", "value", "text"),
    [
        ("worker_s", "s", 5400.0, "1.5 h"),
        ("gpu_s", "s", 3600.0 * 12345, "12,345 h"),
        ("energy_j", "J", 1.8e6, "0.5 kWh"),
        ("example_j", "J", 0.25, "0.25 J"),
        ("money", "money", 12.5, "12.5 EUR"),
        ("carbon_g", "g", math.nan, "not measured"),
    ],
)
def test_an_amount_is_written_in_its_unit(quantity, unit, value, text):
    assert amount(quantity, unit, value, "EUR") == text


def test_a_sweep_without_reports_has_the_section_all_the_same():
    empty = dataclasses.replace(sweep(1, 1), **{name: typed_frame(name, []) for name in SCHEMA})
    assert section(empty).headline


def test_costs_name_the_row_that_the_carbon_intensity_is_from():
    source = {"package": "p", "version": "1", "region": "DEU", "row": "Germany (DEU)", "year": 2024, "g_per_kwh": 344.0}
    stated = {"pue": 1.2, "region": "DEU", "carbon_g_per_kwh": 344.0, "carbon_source": source}
    notes = costs.section(sweep(energy_j=3.0, accounting=stated)).assumptions
    assert any(tells(note, "PUE 1.2 … 344.0 g/kWh … 2024 for Germany (DEU) in p 1") for note in notes)
    own = costs.section(sweep(energy_j=3.0, accounting={"carbon_g_per_kwh": 56.0})).assumptions
    assert any(tells(note, "56.0 g/kWh … stated") for note in own)


def test_what_trained_a_teacher_has_its_line():
    own = sweep()
    sessions = ({"origins": [{"sources": {"out/first": "0" * 64}, "train_flops": 72e9}]},)
    tables = dataclasses.replace(own, history=dataclasses.replace(own.history, sessions=sessions))
    found = section(tables)
    assert any(tells(line, "out/first … 72 GFLOP … 0.5 times") for line in found.headline)
    parts = {row[0]: row[1:] for row in found.tables[1].cells()}
    assert parts["before this sweep: out/first"][:3] == [
        parts["before this sweep: out/first"][0],
        "not measured",
        "72 GFLOP",
    ]
    assert any("out/first: 72 GFLOP" in note for note in costs.section(tables).assumptions)
