"""What the report says of reconstructed methods, weights and scores; settings that a plug-in does not have."""

from __future__ import annotations

import dataclasses

import pandas as pd
from made_settings import changed_spec
from made_sweeps import sweep
from told import tells

from greenexp.records.epoch import OF_PROCESSES
from greenexp.records.tables import PARAMS, SweepTables
from greenexp.report import report_sections
from greenexp.report.sections.circumstances import circumstances
from greenexp.report.sections.wording import settings_of


def with_columns(tables: SweepTables, **columns: object) -> SweepTables:
    named = {f"{PARAMS}method.{name}": values for name, values in columns.items()}
    return dataclasses.replace(tables, trials=tables.trials.assign(**named))


def test_a_plain_sweep_needs_no_remark():
    assert circumstances(sweep()) == ()


def test_what_methods_said_of_themselves_is_reported_once():
    tables = sweep()
    sessions = ({"cautions": ["First.", "Second."]}, {"cautions": ["First."]}, {"versions": {}})
    tables = dataclasses.replace(tables, history=dataclasses.replace(tables.history, sessions=sessions))
    assert circumstances(tables) == ("First.", "Second.")
    (assumptions,) = report_sections(tables, ["assumptions"])
    assert {"First.", "Second."} <= set(assumptions.paragraphs)


def test_trials_with_other_exits_are_named():
    tables = sweep(3, 1)
    exits = tables.exits[(tables.exits["trial"] != "c001-i0-o0") | (tables.exits["exit"] == 3)]
    fewer = dataclasses.replace(tables, exits=exits)
    assert "exits 1, 2, 3 (2 trials); 3 (1 trial)" in circumstances(fewer)[0]
    points = tables.operating_points
    points = points[(points["trial"] != "c001-i0-o0") | (points["threshold"] == 3)]
    (shown,) = report_sections(dataclasses.replace(fewer, operating_points=points), ["exits"])
    assert "never trained" in str(shown.assumptions)
    last = changed_spec(tables.spec, metric={"name": "accuracy", "exit": "last"})
    assert circumstances(dataclasses.replace(fewer, spec=last)) == ()


def test_notes_of_workers_are_said_once_each():
    tables = sweep(2, 1)
    first = tables.epochs["trial"] == "c000-i0-o0"
    noted = tables.epochs.assign(notes=first.map({True: "a new pooler; padding made zero", False: "a new pooler"}))
    noted["score_remark"] = ["f1 is undefined at exit 1: taken as 0", *[""] * (len(noted) - 1)]
    assert circumstances(dataclasses.replace(tables, epochs=noted)) == (
        "Weights: a new pooler (2 trials); padding made zero (1 trial).",
        "Scores: f1 is undefined at exit 1: taken as 0 (1 trial).",
    )


def test_batches_that_did_not_fit_into_memory_are_said():
    tables = sweep(3, 1)
    assert circumstances(tables) == ()
    sizes = {"c000-i0-o0": 8, "c001-i0-o0": 4}
    column = tables.epochs["trial"].map(sizes).astype("Int64")
    (said,) = circumstances(dataclasses.replace(tables, epochs=tables.epochs.assign(micro_batch_size=column)))
    assert "2 trials" in said
    assert "4 examples" in said


def test_settings_leave_out_what_another_plug_in_has():
    tables = with_columns(sweep(2, 1), name=["pabee", "leebert"], cycle=[float("nan"), 4.0])
    said = [settings_of(row, tables) for _, row in tables.trials.iterrows()]
    assert "cycle" not in said[0]
    assert said[1].endswith("method.name = leebert, method.cycle = 4")
    alone = with_columns(sweep(2, 1), first_epochs=[float("nan"), 3.0])
    assert settings_of(alone.trials.iloc[0], alone).endswith("method.first_epochs = none"), "a null that was searched"


def test_seeds_that_were_trained_as_one_model_are_said():
    tables = sweep(2, 2)
    counts = pd.Series([pd.NA] * len(tables.epochs), index=tables.epochs.index, dtype="Int64")
    counts[tables.epochs["configuration"] == "c000"] = 2
    (said,) = circumstances(dataclasses.replace(tables, epochs=tables.epochs.assign(fused_seeds=counts)))
    assert tells(said, "2 trials … 2 at a time … equal parts")


def test_trials_that_several_processes_trained_are_said():
    tables = sweep(2, 1)
    counts = pd.Series([pd.NA] * len(tables.epochs), index=tables.epochs.index, dtype="Int64")
    counts[tables.epochs["configuration"] == "c000"] = 2
    (said,) = circumstances(dataclasses.replace(tables, epochs=tables.epochs.assign(processes=counts)))
    assert tells(said, "1 trial … by 2 processes … rounding")
    apart = tables.epochs.assign(processes=counts, dropout_masks=OF_PROCESSES)
    (said,) = circumstances(dataclasses.replace(tables, epochs=apart))
    assert OF_PROCESSES in said
    assert "rounding" not in said
