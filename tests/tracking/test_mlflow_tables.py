"""The tables from MLflow are the tables from the journal."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables as journal_tables
from greenexp.journal.tables import sweep_facts
from greenexp.tracking.reader import read_facts, read_tables
from greenexp.tracking.sync import sync


def assert_same_tables(folder: Path, uri: str, **choice: str) -> None:
    journal, mlflow = journal_tables(folder), read_tables(uri, **choice)
    for name, frame in journal.frames.items():
        pd.testing.assert_frame_equal(mlflow.frames[name], frame, check_exact=True, obj=name)
    assert mlflow.spec == journal.spec
    assert mlflow.facts == journal.facts


def test_tables_from_mlflow_equal_those_from_the_journal(sweep_folder: Path, uri: str) -> None:
    sync(sweep_folder, uri)
    assert_same_tables(sweep_folder, uri)


def test_facts_from_mlflow_equal_those_from_the_journal(sweep_folder: Path, uri: str) -> None:
    sync(sweep_folder, uri)
    journal = sweep_facts(SweepState(read_events(sweep_folder / NAME)))
    mlflow = read_facts(uri)
    assert mlflow.trials == journal.trials
    assert [(e.trial, e.attempt, e.time_s, e.record) for e in mlflow.epochs] == [
        (e.trial, e.attempt, e.time_s, e.record) for e in journal.epochs
    ]
    assert mlflow.decisions == journal.decisions
