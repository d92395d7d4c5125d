"""The report beside its runs in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from greenexp.errors import TrackingError
from greenexp.tracking.attachment import attach
from greenexp.tracking.server import prepare
from greenexp.tracking.sync import sync


def test_the_sweeps_run_carries_the_latest_report(sweep_folder: Path, uri: str, client: Any, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("first", encoding="utf-8")
    prepare(uri, "reports")
    with pytest.raises(TrackingError, match="not in MLflow"):
        attach(sweep_folder, uri, "reports", [page])
    sync(sweep_folder, uri, "reports")
    for text in ("first", "second"):
        page.write_text(text, encoding="utf-8")
        attach(sweep_folder, uri, "reports", [page])
    experiment = client.get_experiment_by_name("reports")
    runs = client.search_runs([experiment.experiment_id], filter_string="tags.`greenexp.kind` = 'sweep'")
    assert len(runs) == 1
    local = client.download_artifacts(runs[0].info.run_id, "report.html", str(tmp_path))
    assert Path(local).read_text(encoding="utf-8") == "second"
