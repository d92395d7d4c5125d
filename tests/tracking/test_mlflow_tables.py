"""The tables from MLflow are the tables from the journal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from climb import Climb
from growing_sweeps import session
from small_sweeps import Sweep, standard_events, ticking, trial_spec, write_journal

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables as journal_tables
from greenexp.journal.tables import sweep_facts
from greenexp.records.tables import REPLAYED
from greenexp.records.trial import Fold
from greenexp.searches import SEARCHES
from greenexp.tracking.reader import address, read_facts, read_tables
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.server import connect, prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep


def assert_same_tables(folder: Path, uri: str, **choice: str) -> None:
    journal, mlflow = journal_tables(folder), read_tables(uri, **choice)
    for name, frame in journal.frames.items():
        pd.testing.assert_frame_equal(mlflow.frames[name], frame, check_exact=True, obj=name)
    assert mlflow.answers.keys() == journal.answers.keys()
    for trial, answers in journal.answers.items():
        for part, array in vars(answers).items():
            np.testing.assert_array_equal(getattr(mlflow.answers[trial], part), array, err_msg=f"{trial} {part}")
    assert mlflow.spec == journal.spec
    assert (mlflow.history, mlflow.remarks) == (journal.history, journal.remarks)


def test_tables_from_mlflow_equal_those_from_the_journal(standard: tuple[Path, str]) -> None:
    folder, uri = standard
    tables = journal_tables(folder)
    rich = (len(frame) > 2 for name, frame in tables.frames.items() if name not in REPLAYED)
    assert all(rich), "the sweep is too poor to prove anything"
    assert_same_tables(folder, uri)


def test_a_plan_that_grew_is_recorded_like_any_other(
    fresh: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(SEARCHES)
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)
    uri = fresh()
    for reports in (20, None):  # the second driver writes the rest to the same runs
        session(tmp_path, reports=reports)
        sync(tmp_path, uri, experiment="grown")
    assert len(journal_tables(tmp_path).trials) == 12
    assert_same_tables(tmp_path, uri, experiment="grown")


def test_rungs_at_costs_are_recorded_with_their_levels(
    fresh: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SEARCHES._targets, "climb", Climb)
    uri = fresh()
    at_costs = "scheduler={name: asha, resource: wall_s, grace_period: 1.5 s, reduction_factor: 2}"
    for reports in (20, None):
        session(tmp_path, at_costs, reports=reports)
        sync(tmp_path, uri, experiment="levels")
    assert set(journal_tables(tmp_path).decisions["level"]) == {1.5, 3, 6}
    assert_same_tables(tmp_path, uri, experiment="levels")


def test_facts_from_mlflow_equal_those_from_the_journal(standard: tuple[Path, str]) -> None:
    folder, uri = standard
    journal, mlflow = sweep_facts(SweepState(read_events(folder / NAME))), read_facts(uri)
    assert mlflow.trials == journal.trials
    assert mlflow.epochs == journal.epochs
    assert mlflow.decisions == journal.decisions


def test_tables_are_equal_at_every_stage_of_a_sweep(uri: str, tmp_path: Path) -> None:
    tracked = TrackedSweep()
    writer = RunWriter(connect(uri), prepare(uri, "stages"), tracked)
    with Sweep(tmp_path) as sweep:
        tail = JournalTail(tmp_path)
        for _ in standard_events(sweep):
            tracked.take(tail.new_events())
            writer.write_changes(with_sweep=True)
            assert_same_tables(tmp_path, uri)


def test_a_sweep_that_was_only_planned(uri: str, tmp_path: Path) -> None:
    with Sweep(tmp_path) as sweep:
        next(standard_events(sweep))
    sync(tmp_path, uri)
    assert_same_tables(tmp_path, uri)


@pytest.fixture(scope="module")
def three(fresh: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    """One database with sweeps a, a (again) and b, the last in another experiment."""
    uri = fresh()
    folders = [tmp_path_factory.mktemp(name) for name in ("a", "a", "b")]
    for number, folder in enumerate(folders):
        name = "b" if number == 2 else "a"
        write_journal(folder, ticking(1.79e9 + 1e5 * number), name=name)
        sync(folder, uri, experiment="two" if name == "b" else "one")
    return uri, folders


def sweep_id(folder: Path) -> str:
    tracked = TrackedSweep()
    tracked.take(read_events(folder / NAME))
    return tracked.sweep_id


def test_sweeps_in_one_database_are_told_apart(three: tuple[str, list[Path]]) -> None:
    uri, folders = three
    for folder in folders:
        assert_same_tables(folder, uri, sweep=sweep_id(folder))
        assert_same_tables(folder, uri, sweep=sweep_id(folder)[:8])
    assert_same_tables(folders[2], uri, sweep="b")
    assert_same_tables(folders[2], uri, experiment="two")


def test_an_ambiguous_choice_lists_the_sweeps(three: tuple[str, list[Path]]) -> None:
    uri, folders = three
    with pytest.raises(TrackingError, match="3 sweeps") as raised:
        read_tables(uri)
    listed = str(raised.value).splitlines()[1:]
    assert [sweep_id(folder) in line for folder, line in zip(folders, listed, strict=True)] == [True] * 3
    with pytest.raises(TrackingError, match="2 sweeps"):
        read_tables(uri, sweep="a")
    with pytest.raises(TrackingError, match="'c'"):
        read_tables(uri, sweep="c")
    with pytest.raises(TrackingError, match=r"'tvo'.*'two'"):
        read_tables(uri, experiment="tvo")


def test_a_database_without_a_sweep(uri: str) -> None:
    with pytest.raises(TrackingError, match="no sweep"):
        read_tables(uri)


def test_reading_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no MLflow database"):
        read_tables(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("hello " * 1000)
    with pytest.raises(TrackingError, match=r"sqlite:.*not a database"):
        read_tables(f"sqlite:///{tmp_path}/x.db")


def test_a_metric_that_was_deleted_is_missed(uri: str, sweep_folder: Path) -> None:
    import sqlite3

    from greenexp.tracking.server import sqlite_file

    sync(sweep_folder, uri)
    with sqlite3.connect(sqlite_file(uri) or "") as database:
        database.execute("DELETE FROM metrics WHERE key = 'train_loss' AND step = 2")
    database.close()
    with pytest.raises(TrackingError, match=r"'train_loss'.*c00\d-i0-o0.*epoch 2"):
        read_tables(uri)


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert address("sqlite:///a/b.db") == ("sqlite:///a/b.db", None)
    assert address("http://host:5000#my sweep") == ("http://host:5000", "my sweep")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert address("my sweep") == ("http://host:5000", "my sweep")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(TrackingError, match="neither"):
        address("my sweep")


def test_folds_and_ends_by_patience_are_the_same_on_both_sides(uri: str, tmp_path: Path) -> None:
    """A trial that left a fold out, and one that ended before its last epoch."""
    plain = trial_spec(0, 0, patience=1)
    first, second = (
        dataclasses.replace(plain, trial=f"c000-i0-o0-f{number}", index=number, fingerprint="", fold=Fold(number, 3))
        for number in (1, 2)
    )
    with Sweep(tmp_path) as sweep:
        sweep.session()
        sweep.plan(first, second)
        sweep.start(first.trial)
        sweep.report(first.trial, 1)
        sweep.report(first.trial, 2, last=True)
    sync(tmp_path, uri)
    assert_same_tables(tmp_path, uri)
    trials = read_tables(uri).trials
    assert trials["fold"].tolist() == [1, 2]
    assert trials["reason"].astype(bool).tolist() == [True, False]
    client = connect(uri)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (run,) = (run for run in runs if run.data.tags.get("greenexp.trial") == first.trial)
    assert (run.data.params["seeds.fold"], run.data.params["seeds.folds"]) == ("1", "3")
