"""MLflow in PostgreSQL: the same record as in SQLite. With a real server, where its programs and a driver are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from edited_journals import checked, lines_of
from pandas.testing import assert_frame_equal
from small_sweeps import write_journal
from test_cut_journals import later
from test_mlflow_tables import assert_same_tables
from told import tells

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME
from greenexp.sources.snapshots import snapshot
from greenexp.tracking import databases, names
from greenexp.tracking.databases import with_driver
from greenexp.tracking.server import connect
from greenexp.tracking.sync import sync


def program(name: str) -> str | None:
    """A program of the server, which Debian keeps out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


needs_a_server = pytest.mark.skipif(
    program("initdb") is None or program("pg_ctl") is None or not (find_spec("psycopg") or find_spec("psycopg2")),
    reason="needs PostgreSQL's programs and one of its drivers",
)


@pytest.fixture(scope="module")
def databases_of_a_server() -> Iterator[Callable[[str], str]]:
    """`new(name) -> uri` of an empty database, in a server that listens on a socket in a folder alone."""
    folder = Path(tempfile.mkdtemp(prefix="gxpg-"))
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres")
        as_user = {"user": "postgres", "extra_groups": []}
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    commands = {
        "make": [program("initdb"), "-D", folder / "data", "-A", "trust", "-U", "me", "--no-sync"],
        "start": [program("pg_ctl"), "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start"],
        "stop": [program("pg_ctl"), "-D", folder / "data", "-m", "immediate", "stop"],
    }

    def call(name: str) -> None:
        subprocess.run(commands[name], cwd=folder, check=True, stdout=subprocess.DEVNULL, **as_user)

    def new(name: str) -> str:
        createdb = program("createdb")
        assert createdb is not None
        subprocess.run([createdb, "-h", str(folder), "-U", "me", name], check=True)
        return f"postgresql://me@/{name}?host={folder}"

    call("make")
    call("start")
    try:
        yield new
    finally:
        call("stop")
        shutil.rmtree(folder, ignore_errors=True)


def contents(uri: str, experiment: str) -> dict[str, Any]:
    """Name of each run -> what the client tells of it, ids left out."""
    client = connect(uri)
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    found = {}
    for run in runs:
        tags = {name: text for name, text in run.data.tags.items() if name != "mlflow.parentRunId"}
        tags.pop(names.FILED, None)  # artifacts stay out of a database that has no place for them
        history = {
            name: [(p.step, p.timestamp, p.value) for p in client.get_metric_history(run.info.run_id, name)]
            for name in ("score", "time_s", "test_score", "attempt")
        }
        found[run.info.run_name] = (
            run.info.status, run.info.start_time, run.info.end_time, run.data.params, run.data.metrics, tags, history
        )  # fmt: skip
    assert len(found) == len(runs)
    return found


@pytest.mark.slow
@needs_a_server
def test_the_record_is_that_of_sqlite_and_a_second_sync_changes_nothing(
    databases_of_a_server: Callable[[str], str], uri: str, tmp_path: Path
) -> None:
    write_journal(tmp_path)
    postgresql = databases_of_a_server("once")
    sync(tmp_path, uri, "record")
    sync(tmp_path, postgresql, "record")
    before = contents(postgresql, "record")
    assert before == contents(uri, "record")
    sync(tmp_path, postgresql, "record")
    assert contents(postgresql, "record") == before
    assert_same_tables(tmp_path, postgresql, experiment="record")
    lines = lines_of(tmp_path / NAME)
    (tmp_path / NAME).write_bytes(checked([*lines[:-9], *later(lines[-9:])]))
    sync(tmp_path, postgresql, "record")
    assert_same_tables(tmp_path, postgresql, experiment="record")


@pytest.mark.slow
@needs_a_server
def test_two_processes_that_open_a_new_database_together(
    databases_of_a_server: Callable[[str], str], tmp_path: Path
) -> None:
    uri = databases_of_a_server("together")
    running = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_journal(tmp_path / name, name=name)
        command = [sys.executable, "-m", "greenexp", "sync", str(tmp_path / name), "--uri", uri]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
    told = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    for name in ("one", "two"):
        assert_same_tables(tmp_path / name, uri, experiment=name)


@needs_a_server
def test_a_server_that_is_not_there_is_told_within_seconds(tmp_path: Path) -> None:
    write_journal(tmp_path)
    with pytest.raises(TrackingError, match="refused"):
        sync(tmp_path, "postgresql://127.0.0.1:9/none")


@pytest.mark.parametrize(
    ("installed", "address", "expected"),
    [
        ({"psycopg", "psycopg2"}, "postgresql://h/d", "postgresql+psycopg://h/d"),
        ({"psycopg2"}, "postgresql://h/d", "postgresql+psycopg2://h/d"),
        ({"psycopg"}, "postgresql+psycopg://h/d?a=://b", "postgresql+psycopg://h/d?a=://b"),
        (set(), "mysql+pymysql://h/d", "mysql+pymysql://h/d"),
        (set(), "http://h", "http://h"),
    ],
)
def test_the_driver_that_is_there_is_taken(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], address: str, expected: str
) -> None:
    monkeypatch.setattr(databases, "find_spec", lambda name: name in installed or None)
    assert with_driver(address) == expected


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setattr(databases, "find_spec", lambda name: None)
    with pytest.raises(TrackingError) as caught:
        with_driver(f"{scheme}://h/d")
    assert tells(str(caught.value), "psycopg … greenexp[postgresql]")


@pytest.mark.slow
@needs_a_server
def test_the_snapshot_is_that_of_sqlite_and_a_refresh_reads_what_was_written_since(
    databases_of_a_server: Callable[[str], str], uri: str, tmp_path: Path
) -> None:
    write_journal(tmp_path)
    postgresql = databases_of_a_server("snapshot")
    for address in (uri, postgresql):
        sync(tmp_path, address, "record")
    mine, its = (snapshot(address, folder=tmp_path / "cache") for address in (postgresql, uri))
    kept = ["name", "role", "sweep", "status", "start_s", "end_s", "lifecycle"]
    assert_frame_equal(*(one.runs[kept].sort_values("name", ignore_index=True) for one in (mine, its)))
    left = ["run_id", "experiment_id"]
    assert_frame_equal(mine.sweeps.drop(columns=left), its.sweeps.drop(columns=left))
    values = [one.values(one.runs["run_id"])[["kind", "key", "number"]] for one in (mine, its)]
    values = [one[~one["key"].isin(["mlflow.parentRunId"])] for one in values]
    assert_frame_equal(*(one.sort_values(["kind", "key", "number"], ignore_index=True) for one in values))
    assert snapshot(postgresql, folder=tmp_path / "cache").changed == 0
    run = mine.runs["run_id"].iloc[2]
    connect(postgresql).set_tag(run, names.STATUS, "another")
    again = snapshot(postgresql, folder=tmp_path / "cache")
    assert again.changed == 1
    assert again.runs.set_index("run_id")["status"][run] == "another"
