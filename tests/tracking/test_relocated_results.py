"""A sweep's folder that was copied or moved is whole, and whoever writes it writes nothing elsewhere."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from edited_journals import checked, lines_of
from mlflow_contents import dump
from small_sweeps import BEGAN, Sweep, ticking
from test_cut_journals import later
from test_mlflow_logits import FIRST, evaluated, logits, write_sweep_with_logits
from test_mlflow_tables import assert_same_tables
from told import tells

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME
from greenexp.journal.tables import read_tables as journal_tables
from greenexp.records.at_rest import FOLDER
from greenexp.report import report_sections
from greenexp.tracking.artifacts import settle_artifacts
from greenexp.tracking.places import recorded_uri
from greenexp.tracking.reader import read_tables
from greenexp.tracking.server import connect, default_uri, prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.writer import Tracker


def contents(folder: Path) -> dict[str, str]:
    """Every file but locks -> its hash, and when it was written."""
    return {
        str(path.relative_to(folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def locations(folder: Path) -> list[str]:
    """Where a database says that artifacts lie."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        found = database.execute("SELECT artifact_uri FROM runs").fetchall()
        found += database.execute("SELECT artifact_location FROM experiments WHERE name = 'smoke'").fetchall()
    return [str(row[0]) for row in found]


@pytest.fixture
def original(tmp_path: Path, template: Path) -> Path:
    """A sweep's folder as a run leaves it: with its database and the artifacts in it."""
    folder = tmp_path / "original"
    folder.mkdir()
    write_sweep_with_logits(folder)
    shutil.copy(template, folder / "mlflow.db")
    sync(folder)
    return folder


def test_a_moved_folder_gives_every_table_from_its_database(original: Path, tmp_path: Path) -> None:
    before = len(read_tables(default_uri(original)).operating_points)
    moved = Path(shutil.move(original, tmp_path / "moved"))
    tables = read_tables(default_uri(moved))
    assert len(tables.operating_points) == before > 40
    assert_same_tables(moved, default_uri(moved))
    assert tables.remarks.warnings == ()


def test_reading_a_moved_database_changes_nothing(original: Path, tmp_path: Path) -> None:
    moved = Path(shutil.move(original, tmp_path / "moved"))
    stored = locations(moved)
    read_tables(default_uri(moved))
    assert locations(moved) == stored


@pytest.mark.parametrize("logits_lost", [False, True])
def test_a_copy_is_synced_inside_itself(original: Path, tmp_path: Path, logits_lost: bool) -> None:
    before = contents(original)
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    if logits_lost:  # so that there is something to write
        shutil.rmtree(copy / "mlartifacts")
    with Sweep(copy, ticking(BEGAN + 1000)) as sweep:
        evaluated(sweep, FIRST.trial, 2, logits(copy, 5))
    sync(copy)
    assert contents(original) == before
    assert all(place.startswith((copy / "mlartifacts").as_uri()) for place in locations(copy))
    assert_same_tables(copy, default_uri(copy))
    assert read_tables(default_uri(copy)).remarks.warnings == ()


@pytest.mark.parametrize("way", ["copy", "link/copy", "../copy"])
def test_the_report_of_a_copy_goes_to_the_copy_by_whatever_way(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    before = contents(original)
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(original if way.startswith("..") else tmp_path)
    (copy / "report.html").write_text("page", encoding="utf-8")
    sync(Path(way))
    assert contents(original) == before
    assert [path.read_text(encoding="utf-8") for path in (copy / "mlartifacts").rglob("report.html")] == ["page"]


def test_a_recorded_database_of_the_original_means_the_copys_own(original: Path, tmp_path: Path) -> None:
    recorded = default_uri(original)
    copy = Path(shutil.copytree(original, tmp_path / "copy"))
    own = default_uri(copy)
    assert recorded_uri(original, recorded) == recorded
    assert recorded_uri(copy, recorded) == own
    (copy / "mlflow.db").unlink()
    assert recorded_uri(copy, recorded) == own, "the original is never written"
    shutil.copy(original / "mlflow.db", copy / "mlflow.db")
    shutil.rmtree(original)
    assert recorded_uri(copy, recorded) == own
    assert recorded_uri(copy, "http://host:5000") == "http://host:5000"


def test_a_database_that_sweeps_share_stays_shared(original: Path, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    shared = default_uri(tmp_path / "shared")
    assert recorded_uri(original, shared) == shared
    other = tmp_path / "other"
    other.mkdir()
    with Sweep(other, name="another"):
        pass
    assert recorded_uri(other, default_uri(original)) == default_uri(original), "another sweep's, named by the user"


def test_artifacts_of_others_stay_where_they_say(template: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    shutil.copy(template, tmp_path / "theirs" / "mlflow.db")
    client = connect(default_uri(tmp_path / "theirs"))
    place = (tmp_path / "elsewhere" / "mlartifacts").as_uri()
    client.create_experiment("theirs", artifact_location=place)
    settle_artifacts(default_uri(tmp_path / "theirs"))
    assert client.get_experiment_by_name("theirs").artifact_location == place


def test_artifacts_that_are_gone_are_a_warning(original: Path) -> None:
    shutil.rmtree(original / "mlartifacts")
    assert len(read_tables(default_uri(original)).remarks.warnings) == 1
    assert journal_tables(original).remarks.warnings == ()
    shutil.rmtree(original / FOLDER)
    warnings = journal_tables(original).remarks.warnings
    assert warnings == read_tables(default_uri(original)).remarks.warnings
    headline = report_sections(journal_tables(original))[0].headline
    assert any(warnings[0] in sentence for sentence in headline)


def shared_runs(uri: str) -> dict[object, object]:
    client = connect(uri)
    return dict(dump(client, prepare(uri, "smoke")))


@pytest.mark.parametrize("events", [3, 7, 11])
def test_an_older_copy_takes_nothing_back_from_a_database_that_both_share(
    tmp_path: Path, fresh: Callable[[], str], events: int
) -> None:
    original, copy, uri = tmp_path / "original", tmp_path / "copy", fresh()
    original.mkdir()
    write_sweep_with_logits(original)
    shutil.copytree(original, copy)
    lines = lines_of(copy / NAME)
    (copy / NAME).write_bytes(checked(lines[:-events]))
    sync(original, uri)
    before = shared_runs(uri)
    with pytest.raises(TrackingError) as caught:
        sync(copy, uri)
    assert tells(str(caught.value), f"{copy / NAME}")
    (copy / NAME).write_bytes(checked([*lines[:-events], *later(lines[-events:])]))  # it went on by itself
    if events > 3:
        with pytest.raises(TrackingError):
            sync(copy, uri)
    assert shared_runs(uri) == before


def test_a_copy_that_is_level_or_ahead_may_write(tmp_path: Path, uri: str) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    write_sweep_with_logits(original)
    sync(original, uri)
    shutil.copytree(original, copy)
    before = shared_runs(uri)
    sync(copy, uri)
    assert shared_runs(uri) == before
    with Sweep(copy, ticking(BEGAN + 1000)) as sweep:
        evaluated(sweep, FIRST.trial, 2, logits(copy, 5))
    sync(copy, uri)
    assert_same_tables(copy, uri, experiment="smoke")


def test_a_sweep_that_is_resumed_in_a_copy_goes_on_there(tmp_path: Path, uri: str) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    write_sweep_with_logits(original)
    shutil.copytree(original, copy)
    sync(original, uri)
    lines = lines_of(copy / NAME)
    (copy / NAME).write_bytes(checked([*lines[:-7], *later(lines[-7:])]))
    tracker = Tracker(copy, uri, "smoke")
    tracker.start()
    assert tracker.stop(60)
    assert_same_tables(copy, uri, experiment="smoke")
    with pytest.raises(TrackingError):
        sync(original, uri)
