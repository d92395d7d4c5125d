"""The same against a real MLflow server over HTTP: exact numbers, artifacts through the server, nothing printed."""

from __future__ import annotations

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


def test_the_tables_are_exact_over_http(mlflow_server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_journal(tmp_path)
    sync(tmp_path, mlflow_server, "over http")
    assert_same_tables(tmp_path, mlflow_server, experiment="over http")
    sync(tmp_path, mlflow_server, "over http")
    assert_same_tables(tmp_path, mlflow_server, experiment="over http")
    assert capfd.readouterr() == ("", "")


def test_the_tracker_and_the_artifact_go_through_the_server(mlflow_server: str, tmp_path: Path) -> None:
    prepare(mlflow_server, "tracked")
    tracker = Tracker(tmp_path, mlflow_server, "tracked")
    tracker.start()
    write_journal(tmp_path, name="tracked")
    assert tracker.stop(60)
    assert_same_tables(tmp_path, mlflow_server, experiment="tracked")
    client = connect(mlflow_server)
    run = client.search_runs([prepare(mlflow_server, "tracked")], f"tags.`{names.KIND}` = 'sweep'")[0]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == [names.SWEEP_FILE]


def test_operating_points_go_through_the_server(
    mlflow_server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with Sweep(tmp_path) as sweep:
        sweep.session()
        sweep.plan(FIRST)
        sweep.start(FIRST.trial)
        sweep.report(FIRST.trial, 1, dev_logits=logits(tmp_path, 1), last=True)
    sync(tmp_path, mlflow_server, "points over http")
    assert_same_tables(tmp_path, mlflow_server, experiment="points over http")
    assert "max_probability" in set(read_tables(mlflow_server, "points over http").operating_points["policy"])
    assert capfd.readouterr() == ("", "")


def test_the_model_and_the_snapshot_go_through_the_server(
    mlflow_server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trial = ended_journal(tmp_path / "sweep", name="modelled")  # a sweep of its own: others are on this server
    for _ in range(2):
        assert sync(tmp_path / "sweep", mlflow_server, "model over http").remarks == ()
    (model,) = models_of(connect(mlflow_server), "model over http")
    assert (str(model.status), model.name) == ("READY", trial)
    assert {metric.key for metric in model.metrics} == {"dev_accuracy", "test_accuracy"}
    first = snapshot(mlflow_server, folder=tmp_path / "cache")
    row = first.sweeps.set_index("experiment").loc["model over http"]
    assert (row["trials"], row["finished"], row["stopped"], row["best"]) == (2, 1, 1, pytest.approx(0.3))
    assert snapshot(mlflow_server, folder=tmp_path / "cache").changed == first.runs["end_s"].isna().sum()
    ended_journal(tmp_path / "running", closed=False, name="another")
    sync(tmp_path / "running", mlflow_server, "runs over http")
    again = snapshot(mlflow_server, folder=tmp_path / "cache")
    assert 0 < again.changed < len(again.runs)
    assert again.sweeps.set_index("experiment").loc["runs over http", "status"] == "running"
    assert capfd.readouterr() == ("", "")
