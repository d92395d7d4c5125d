"""Checklists filled from made sweeps: numbers are those of the record, and the rest is left to the author."""

from __future__ import annotations

import dataclasses

import pytest
from made_sweeps import sweep, with_answers
from told import tells

from greenexp.errors import UnknownNameError
from greenexp.records.tables import SCHEMA, typed_frame
from greenexp.report import report_sections
from greenexp.report.checklists import CHECKLISTS, RecordFacts, fill
from greenexp.report.checklists.filled import IN_PART, ON_RECORD, PLACES, YOU_ANSWER
from greenexp.report.checklists.section import checklist_document, section

ITEMS = {
    "arr": ["B6", "C1", "C2", "C3", "C4"],
    "neurips": ["4", "5", "6", "7", "8"],
}
SESSION = {
    "versions": {"torch": "2.13.0"},
    "machine": {"cpu": "A Processor", "cpus": 4, "memory_b": 8_000_000_000},
    "data": {"key": {"description": "made", "fingerprint": "f", "rows": {"train": 1234, "dev": 500}}},
}


def filled(tables, name):
    return {one.item.number: one for one in fill(CHECKLISTS[name], RecordFacts(tables))}


@pytest.fixture(scope="module")
def tables():
    made = sweep(ends={"c000": ("stopped", 1), "c001-i0-o0": ("failed", 3)}, scheduler="asha")
    return dataclasses.replace(made, history=dataclasses.replace(made.history, sessions=(SESSION,)))


@pytest.mark.parametrize("name", ITEMS)
def test_the_items_are_those_of_the_checklist(name):
    assert [item.number for item in CHECKLISTS[name].items] == ITEMS[name]


def test_numbers_are_those_of_the_record(tables):
    arr = filled(tables, "arr")
    assert tells(arr["B6"].record, "train 1,234 … dev 500")
    assert tells(arr["C1"].record, "All 8 trials … GFLOP")
    assert tells(arr["C1"].record, "4 cores of A Processor")
    assert tells(arr["C2"].record, "4 configurations, 8 trials … 2 stopped early")
    assert tells(arr["C2"].record, "1 failed")
    assert tells(arr["C3"].record, "2 seeds")
    assert tells(arr["C4"].record, "torch 2.13.0")


def test_what_was_not_measured_is_said_and_never_zero(tables):
    compute = filled(tables, "arr")["C1"].record
    assert tells(compute, "Not measured: energy, CO2e, money")
    assert "0 kWh" not in compute


def test_what_the_record_cannot_know_is_left_to_the_author(tables):
    emnlp = filled(tables, "emnlp")
    assert emnlp["data 4"].answer == YOU_ANSWER
    assert filled(tables, "neurips")["8"].answer == IN_PART
    assert filled(tables, "neurips")["7"].answer == IN_PART, "there is no test score"
    assert emnlp["search 1"].answer == ON_RECORD
    bare = dataclasses.replace(tables, history=dataclasses.replace(tables.history, sessions=()))
    assert filled(bare, "arr")["C4"].answer == YOU_ANSWER


def test_split_sizes_of_an_older_record_are_what_trials_saw():
    made = with_answers(sweep(2, 2))
    assert tells(filled(made, "arr")["B6"].record, "train 320 … dev 400")


def test_sections_that_answers_name_are_in_the_report(tables):
    titles = {one.name: one.title for one in report_sections(tables, PLACES)}
    assert {name: titles.get(name) for name in PLACES} == PLACES
    named = {place for checklist in CHECKLISTS.values() for item in checklist.items for place in item.places}
    assert named <= set(PLACES)


def test_a_document_has_the_lists_that_were_asked_for(tables):
    text = checklist_document(tables, "md", ["arr"])
    assert "| C3 |" in text
    assert "| results 1 |" not in text
    printed = checklist_document(tables, "tex")
    assert "\\item[{C3}]" in printed
    assert "tabular" not in printed, "a row of sentences does not fit between the margins"
    with pytest.raises(UnknownNameError):
        checklist_document(tables, "md", ["acl"])
    with pytest.raises(UnknownNameError):
        checklist_document(tables, "html")


def test_a_sweep_without_reports_is_no_reason_to_fail():
    empty = dataclasses.replace(sweep(1, 1), **{name: typed_frame(name, []) for name in SCHEMA})
    assert len(section(empty).tables) == len(CHECKLISTS)
