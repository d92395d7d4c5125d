"""What a report begins with, which sections there are, and how one alone is written."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import numpy as np
import pytest
from made_settings import changed_spec
from made_sweeps import sweep, with_thresholds
from told import tells

from greenexp.analysis.comparing.lead_of_sweep import lead_of_best
from greenexp.cli.sweeps.report import FORMATS as OFFERED
from greenexp.cli.sweeps.report import SECTIONS as NAMED
from greenexp.errors import InputError, UnknownNameError
from greenexp.records.tables import SCHEMA, SweepTables, typed_frame
from greenexp.report import FORMATS, render_report, report_sections
from greenexp.report.contents import CHAPTERS, SECTION_NAMES
from greenexp.report.first_screen import first_screen
from greenexp.report.page import FirstScreen
from greenexp.report.render import PDF
from greenexp.report.sections import SECTIONS
from greenexp.report.sections.key_numbers import UNKNOWN, key_numbers
from greenexp.units import format_quantity

METHODS = ("branchynet", "dbt")
SPACE = {"method.name": {"dist": "choice", "values": list(METHODS)}}
SHOWN = ("headline", "compared-searches", "search", "tuning-band", "configurations", "search-space", "front", "exits")


def screen(tables: SweepTables) -> FirstScreen:
    return first_screen(tables, report_sections(tables, SHOWN))


def numbers(tables: SweepTables) -> list[str]:
    return [str(value) for value in key_numbers(tables).frame["value"]]


def comparing() -> SweepTables:
    """Two searches of 6 configurations each, the first better."""
    made = sweep(12, 1, space=SPACE)
    names = np.repeat(METHODS, 6)
    scores = np.concatenate([np.linspace(0.80, 0.90, 6), np.linspace(0.60, 0.70, 6)])
    trials = made.trials.assign(**{"params.method.name": names, "score": scores})
    spec = changed_spec(made.spec, search={"name": "random", "samples": 6, "per": "method.name"})
    return dataclasses.replace(made, trials=trials, spec=spec)


def test_the_result_is_the_lead_and_its_verdict() -> None:
    tables = sweep(4, 3)
    lead, found = lead_of_best(tables), screen(tables)
    assert lead is not None
    interval = f"{lead.interval.lower:.4f} to {lead.interval.upper:.4f}"
    told = f"{lead.first} … 4 configurations … {lead.interval.lead:.4f} … {lead.second} … {interval}"
    assert tells(found.result, told)
    assert str(lead.verdict) in found.result
    assert found.figures == ("tuning-band", "operating-points")
    assert found.compared == "leaders"


def test_a_comparison_of_searches_leads() -> None:
    tables = comparing()
    found = screen(tables)
    assert tells(found.result, "branchynet")
    assert found.result.endswith(".")
    assert found.figures[0] == "compared-searches"
    assert found.compared == "compared-searches-summary"
    lead = lead_of_best(tables)
    assert lead is not None
    assert any(lead.first in sentence for sentence in found.certainty)


@pytest.mark.parametrize(
    "tables",
    [
        sweep(1, 1),
        sweep(2, 1, ends={"c000": ("failed", 0), "c001": ("failed", 4)}),
        sweep(ends={f"c00{c}": ("planned", 0) for c in range(4)}),
        dataclasses.replace(sweep(1, 1), **{name: typed_frame(name, []) for name in SCHEMA}),  # type: ignore[arg-type]
        sweep(metric={"name": "loss", "mode": "min", "exit": 2}),
    ],
    ids=["one trial", "all failed", "planned", "empty", "minimised"],
)
def test_there_is_a_first_screen_of_every_sweep(tables: SweepTables) -> None:
    found = screen(tables)
    assert found.result.endswith(".")
    for text in (found.result, found.subtitle, *found.certainty, *key_numbers(tables).frame.to_numpy().ravel()):
        assert "nan" not in text.replace("finance", "")
        assert "None" not in text


def test_warnings_come_before_anything_is_opened() -> None:
    tables = sweep()
    warned = dataclasses.replace(tables, remarks=dataclasses.replace(tables.remarks, unread="logits are gone"))
    assert any("logits are gone" in sentence for sentence in screen(warned).certainty)


def test_the_numbers_say_what_is_not_known() -> None:
    planned = numbers(sweep(ends={f"c00{c}": ("planned", 0) for c in range(4)}))
    assert planned == [UNKNOWN] * 4
    tables = with_thresholds(sweep(3, 2))
    score, cost, price, speed = numbers(tables)
    assert score == f"{tables.trials.groupby('configuration')['score'].mean().max():.4f} → –"
    assert cost == f"{format_quantity(float(tables.trials['wall_s'].sum()), 's')} on CPU cores"
    assert price == "6×"
    assert speed.endswith("×")
    assert numbers(sweep(energy_j=36_000.0))[1] == "0.72 kWh"


def test_every_section_is_in_one_chapter_and_can_be_asked_for() -> None:
    held = [name for chapter in CHAPTERS for name in chapter.sections]
    assert len(held) == len(set(held))
    assert set(SECTIONS) <= set(SECTION_NAMES)
    assert (SECTION_NAMES, (*FORMATS, PDF)) == (NAMED, OFFERED)
    names = [section.name for section in report_sections(sweep(1, 1), ("seeds", "front", "seeds"))]
    assert names == ["front", "seeds"]
    with pytest.raises(UnknownNameError, match="did you mean 'front'"):
        report_sections(sweep(1, 1), ["fronts"])


def test_a_section_alone_leaves_the_report_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("whole")
    (page,) = render_report(sweep(2, 2), ["html"], tmp_path, ["seeds"])
    assert page.name == "report-seeds.html"
    assert (tmp_path / "report.html").read_text() == "whole"
    text = page.read_text()
    assert 'id="seeds"' in text
    assert 'id="front"' not in text


def chromium(folder: Path, script: str) -> Path:
    """A program of that name that does as the shell script says; $out is where the PDF is to be."""
    program = folder / "chromium"
    taken = 'for one in "$@"; do case "$one" in --print-to-pdf=*) out="${one#*=}";; esac; done'
    program.write_text(f"#!/bin/sh\n{taken}\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_a_pdf_is_printed_by_the_browser_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chromium(tmp_path, 'for last; do :; done; printf "%%PDF " > "$out"; echo "$last" >> "$out"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (path,) = render_report(sweep(1, 1), ["pdf"], tmp_path / "out", ["seeds"])
    assert path.name == "report-seeds.pdf"
    assert path.read_text().startswith("%PDF file:///")


@pytest.mark.parametrize("script", ["echo no screen >&2; exit 3", 'printf "<html>" > "$out"'])
def test_a_browser_that_prints_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    chromium(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(InputError, match="print"):
        render_report(sweep(1, 1), ["pdf"], tmp_path / "out", ["seeds"])
    assert not (tmp_path / "out" / "report-seeds.pdf").exists()


def test_without_a_browser_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="Chromium"):
        render_report(sweep(1, 1), ["html", "pdf"], tmp_path / "out", ["seeds"])
    assert not (tmp_path / "out").exists()
