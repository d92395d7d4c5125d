"""The report beside its runs in MLflow: at the end of a run, and by `sync` where it was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mlflow_contents import failing
from small_sweeps import tiny_journal
from told import tells

from greenexp.tracking import follow
from greenexp.tracking.names import REPORT_FILE
from greenexp.tracking.server import connect, default_uri
from greenexp.tracking.sync import sync
from greenexp.tracking.writer import Tracker


def attached(client: Any, experiment: str, target: Path) -> str | None:
    """The text of the report that the sweep's run carries."""
    number = client.get_experiment_by_name(experiment).experiment_id
    (run,) = client.search_runs([number], filter_string="tags.`greenexp.kind` = 'sweep'")
    if REPORT_FILE not in [file.path for file in client.list_artifacts(run.info.run_id)]:
        return None
    return Path(client.download_artifacts(run.info.run_id, REPORT_FILE, str(target))).read_text(encoding="utf-8")


def test_sync_adds_the_latest_report(sweep_folder: Path, uri: str, client: Any, tmp_path: Path) -> None:
    sync(sweep_folder, uri, "reports")
    assert attached(client, "reports", tmp_path) is None
    for text in ("first", "second"):
        (sweep_folder / REPORT_FILE).write_text(text, encoding="utf-8")
        assert sync(sweep_folder, uri, "reports").remarks == ()
        assert attached(client, "reports", tmp_path) == text


def test_the_writer_adds_the_report_when_it_is_stopped_and_sync_then_has_nothing_to_add(
    uri: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_journal(tmp_path)
    tracker = Tracker(tmp_path, uri, "followed")
    tracker.start()
    (tmp_path / REPORT_FILE).write_text("page", encoding="utf-8")
    assert tracker.stop(60)
    assert attached(client, "followed", tmp_path / "..") == "page"
    refusing = failing(client, lambda _, name: name == "log_artifact", after=False)
    monkeypatch.setattr(follow, "connect", lambda uri: refusing)
    assert sync(tmp_path, uri, "followed").remarks == ()
    assert "log_artifact" not in refusing.calls


def test_a_report_that_was_left_out_is_told_and_added_by_the_next_sync(
    uri: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_journal(tmp_path)
    (tmp_path / REPORT_FILE).write_text("page", encoding="utf-8")
    told: list[str] = []
    with monkeypatch.context() as patch:
        refusing = failing(client, lambda _, name: name == "log_artifact", after=False)
        patch.setattr(follow, "connect", lambda uri: refusing)
        tracker = Tracker(tmp_path, uri, "refused", remark=told.append)
        tracker.start()
        assert tracker.stop(60), "the record itself is level"
    assert [tells(text, "report … the server is away … greenexp sync") for text in told] == [True]
    sync(tmp_path, uri, "refused")
    assert attached(client, "refused", tmp_path / "..") == "page"


def test_a_report_whose_artifact_is_gone_is_added_again(sweep_folder: Path, template: Path, tmp_path: Path) -> None:
    (sweep_folder / "mlflow.db").write_bytes(template.read_bytes())
    (sweep_folder / REPORT_FILE).write_text("page", encoding="utf-8")
    sync(sweep_folder)
    (lost,) = (sweep_folder / "mlartifacts").rglob(REPORT_FILE)
    lost.unlink()
    sync(sweep_folder)
    assert attached(connect(default_uri(sweep_folder)), "smoke", tmp_path) == "page"
