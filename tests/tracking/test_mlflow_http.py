"""The same against a real MLflow server over HTTP: exact numbers, artifacts through the server, nothing printed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_sweeps import Sweep, write_journal
from test_mlflow_logits import FIRST, logits
from test_mlflow_pages import ended_journal, models_of
from test_mlflow_tables import assert_same_tables

from greenexp.sources.snapshots import snapshot
from greenexp.tracking import names
from greenexp.tracking.reader import read_tables
from greenexp.tracking.server import connect, prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.writer import Tracker

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(template, folder / "mlflow.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
        address = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.1)
            else:
                pytest.fail((folder / "log").read_text())
            yield address
        finally:
            os.killpg(process.pid, 15)
            process.wait()


def test_the_tables_are_exact_over_http(server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_journal(tmp_path)
    sync(tmp_path, server, "over http")
    assert_same_tables(tmp_path, server, experiment="over http")
    sync(tmp_path, server, "over http")
    assert_same_tables(tmp_path, server, experiment="over http")
    assert capfd.readouterr() == ("", "")


def test_the_tracker_and_the_artifact_go_through_the_server(server: str, tmp_path: Path) -> None:
    prepare(server, "tracked")
    tracker = Tracker(tmp_path, server, "tracked")
    tracker.start()
    write_journal(tmp_path, name="tracked")
    assert tracker.stop(60)
    assert_same_tables(tmp_path, server, experiment="tracked")
    client = connect(server)
    run = client.search_runs([prepare(server, "tracked")], f"tags.`{names.KIND}` = 'sweep'")[0]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == [names.SWEEP_FILE]


def test_operating_points_go_through_the_server(server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Sweep(tmp_path) as sweep:
        sweep.session()
        sweep.plan(FIRST)
        sweep.start(FIRST.trial)
        sweep.report(FIRST.trial, 1, dev_logits=logits(tmp_path, 1), last=True)
    sync(tmp_path, server, "points over http")
    assert_same_tables(tmp_path, server, experiment="points over http")
    assert "max_probability" in set(read_tables(server, "points over http").operating_points["policy"])
    assert capfd.readouterr() == ("", "")


def test_the_model_and_the_snapshot_go_through_the_server(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trial = ended_journal(tmp_path / "sweep", name="modelled")  # a sweep of its own: others are on this server
    for _ in range(2):
        assert sync(tmp_path / "sweep", server, "model over http").remarks == ()
    (model,) = models_of(connect(server), "model over http")
    assert (str(model.status), model.name) == ("READY", trial)
    assert {metric.key for metric in model.metrics} == {"dev_accuracy", "test_accuracy"}
    first = snapshot(server, folder=tmp_path / "cache")
    row = first.sweeps.set_index("experiment").loc["model over http"]
    assert (row["trials"], row["finished"], row["stopped"], row["best"]) == (2, 1, 1, pytest.approx(0.3))
    assert snapshot(server, folder=tmp_path / "cache").changed == first.runs["end_s"].isna().sum()
    ended_journal(tmp_path / "running", closed=False, name="another")
    sync(tmp_path / "running", server, "runs over http")
    again = snapshot(server, folder=tmp_path / "cache")
    assert 0 < again.changed < len(again.runs)
    assert again.sweeps.set_index("experiment").loc["runs over http", "status"] == "running"
    assert capfd.readouterr() == ("", "")
