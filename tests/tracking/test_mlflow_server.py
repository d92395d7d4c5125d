"""Connecting: quiet, quick to say what is wrong, nothing written where it does not belong."""

from __future__ import annotations

import logging
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from greenexp.errors import TrackingError
from greenexp.tracking.server import connect, default_uri, failures_as, prepare, redacted

QUIET = """
import logging, os, sys, threading
from pathlib import Path
import greenexp.tracking.writer, greenexp.tracking.sync, greenexp.tracking.reader
assert "mlflow" not in sys.modules, "importing the room imports MLflow"
from greenexp.tracking.server import default_uri, prepare
root = logging.getLogger()
before = (root.level, list(root.handlers))
prepare(default_uri(Path(sys.argv[1])), "quiet")
from mlflow.telemetry.client import get_telemetry_client
assert get_telemetry_client() is None, "telemetry is on"
assert (root.level, list(root.handlers)) == before, "the root logger was touched"
"""


@pytest.mark.parametrize("made", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_no_database(made: Callable[[Path], None], tmp_path: Path) -> None:
    made(tmp_path / "mlflow.db")
    with pytest.raises(TrackingError, match="is no file"):
        connect(default_uri(tmp_path))


@pytest.fixture
def dead_server() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_failure_that_is_told_is_not_printed_by_mlflow_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of a full disk it printed 385 lines; who uses MLflow beside us still gets them."""
    connect(default_uri(tmp_path))
    log = logging.getLogger("mlflow.store.db.utils")
    log.addHandler(caplog.handler)
    try:
        with failures_as("sqlite:///x"), failures_as("sqlite:///x"):
            log.error("a traceback")
        assert caplog.messages == []
        log.error("somebody else's")
        assert "somebody else's" in caplog.messages
    finally:
        log.removeHandler(caplog.handler)


def test_a_new_database_is_made_quietly_and_nothing_else_is_written(tmp_path: Path) -> None:
    out, here = tmp_path / "out", tmp_path / "here"
    out.mkdir()
    here.mkdir()
    hidden = {name for name in os.environ if name.startswith(("MLFLOW_", "PYTEST_")) or name == "CI"}
    done = subprocess.run(
        [sys.executable, "-c", QUIET, str(out)],
        cwd=here,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(here.iterdir()) == []
    assert [path.name for path in out.iterdir()] == ["mlflow.db"]


def test_an_experiment_is_made_once_with_its_artifacts_beside_the_database(uri: str) -> None:
    number = prepare(uri, "né中")
    assert prepare(uri, "né中") == number
    experiment = connect(uri).get_experiment(number)
    assert experiment.name == "né中"
    folder = Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    assert experiment.artifact_location == folder.as_uri()


def test_a_deleted_experiment_is_named(uri: str) -> None:
    number = prepare(uri, "gone")
    connect(uri).delete_experiment(number)
    with pytest.raises(TrackingError, match=r"'gone'.*sqlite"):
        prepare(uri, "gone")


@pytest.mark.parametrize("bad", ["file:///tmp/mlruns", "mlruns", "ftp://host", "sqlite:mlflow.db", ""])
def test_addresses_that_cannot_be(bad: str) -> None:
    with pytest.raises(TrackingError, match="sqlite:///"):
        prepare(bad, "x")


def test_a_folder_of_files_is_refused_with_the_reason() -> None:
    with pytest.raises(TrackingError, match="SQLite"):
        prepare("file:///tmp/mlruns", "x")


def test_a_server_that_is_not_there_is_named(dead_server: str) -> None:
    with pytest.raises(TrackingError, match=f"{dead_server}: .*refused"):
        prepare(dead_server, "x")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackingError, match="MLflow at sqlite"):
        prepare(default_uri(tmp_path / "file"), "x")


def test_passwords_are_not_shown() -> None:
    assert redacted("postgresql://me:secret@host/db") == "postgresql://...@host/db"
    assert redacted("http://host:5000") == "http://host:5000"


def test_what_the_user_set_is_kept(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    connect(uri)
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def test_a_new_database_is_the_users_own_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    prepare(default_uri(tmp_path), "made")
    assert stat.S_IMODE((tmp_path / "mlflow.db").stat().st_mode) == 0o600
    (tmp_path / "mlflow.db").chmod(0o644)
    prepare(default_uri(tmp_path), "made")
    assert stat.S_IMODE((tmp_path / "mlflow.db").stat().st_mode) == 0o644


@pytest.mark.parametrize(("trouble", "hinted"), [("HTTP 401: Unauthorized", True), ("Connection refused", False)])
def test_a_refusal_for_want_of_a_password_says_how_to_give_it(trouble: str, hinted: bool) -> None:
    with pytest.raises(TrackingError) as caught, failures_as("http://host"):
        raise RuntimeError(trouble)
    assert ("MLFLOW_TRACKING_PASSWORD" in str(caught.value)) == hinted
