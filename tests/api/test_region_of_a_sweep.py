"""A plan has its region's grams per kWh, and a resumed sweep those that it began with."""

from __future__ import annotations

import pytest
from made_carbon_table import made_carbon_table
from told import tells

import greenexp
from greenexp.api.planning import plan_of, read_document
from greenexp.cli.sweeps.preview import preview_lines
from greenexp.errors import SweepFileError
from greenexp.journal.file import NAME
from greenexp.spec import load_sweep
from greenexp.spec.resolved import dump_resolved, resolved
from greenexp.tuning.opening import open_sweep

SWEEP = {"name": "there", "task": {"name": "clauses", "train": 20, "dev": 20}, "accounting": {"region": "AAA"}}


def test_the_resolved_file_holds_number_and_origin_and_is_read_back(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_carbon_table(tmp_path)))
    spec = plan_of(read_document(SWEEP)).spec
    assert spec.accounting.carbon_g_per_kwh == 100.5
    again = load_sweep(dump_resolved(spec)).checked()
    assert again.accounting == spec.accounting


def test_a_sweep_that_goes_on_keeps_its_number_under_another_version(tmp_path, monkeypatch):
    with monkeypatch.context() as first:
        first.syspath_prepend(str(made_carbon_table(tmp_path / "old")))
        plan = plan_of(read_document(SWEEP))
    folder = tmp_path / "sweep"
    folder.mkdir()
    open_sweep(plan, resolved(plan.spec), folder, data={}).journal.close()
    assert (folder / NAME).is_file()
    newer = "alpha-2,Year,Entity,Code,Carbon intensity of electricity (gCO2eq/kWh)\nAA,2025,Aland,AAA,1.0\n"
    monkeypatch.syspath_prepend(str(made_carbon_table(tmp_path / "new", version="2.5.0", table=newer)))
    assert plan_of(read_document(SWEEP)).spec.accounting.carbon_g_per_kwh == 1.0
    assert plan_of(read_document(SWEEP), folder).spec.accounting == plan.spec.accounting


def test_a_region_that_is_not_known_is_told_at_its_line(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_carbon_table(tmp_path)))
    file = tmp_path / "sweep.yaml"
    file.write_text("name: x\ntask: {name: clauses}\naccounting:\n  region: XYZ\n")
    with pytest.raises(SweepFileError) as raised:
        plan_of(read_document(file))
    assert tells(str(raised.value), "sweep.yaml:4: … accounting.region") or tells(str(raised.value), "sweep.yaml:4")


def test_a_plan_says_which_row_the_grams_are_from(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(made_carbon_table(tmp_path)))
    lines = dict(preview_lines(greenexp.plan({**SWEEP, "training": {"epochs": 1}})))
    assert tells(lines["carbon"], "100.5 g … Aland (AAA), 2024, carbontracker 2.4.7")
