"""What stands on MLflow's pages of a sweep besides its record: its file and report as artifacts, its data sets.

None of it is needed to read the sweep back. Each is logged once, and a tag says so after it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from greenexp.tracking import names
from greenexp.tracking.artifacts import RunArtifacts
from greenexp.tracking.server import told

_NOT_OFFERED = frozenset({"ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "NOT_IMPLEMENTED"})
MAX_DIGEST = 36
"""mlflow/utils/validation.py"""


def log_sweep_file(
    run: RunArtifacts, spec: Mapping[str, Any], tags: Mapping[str, str], pause: Callable[[], None]
) -> dict[str, str]:
    """The resolved sweep file as an artifact; the tags that then are true."""
    if names.FILED in tags and not run.lacks(names.SWEEP_FILE):
        return {}
    pause()
    with contextlib.suppress(Exception):
        run.client.log_text(
            run.run_id, yaml.safe_dump(dict(spec), sort_keys=False, allow_unicode=True), names.SWEEP_FILE
        )
        return {names.FILED: names.SWEEP_FILE}
    return {}


def log_report(
    run: RunArtifacts, folder: Path, tags: Mapping[str, str], pause: Callable[[], None]
) -> tuple[dict[str, str], str | None]:
    """The report in the sweep's folder over an older one: the tags that then are true, and what is to be remarked."""
    file = folder / names.REPORT_FILE
    try:
        text = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:  # none was written
        return {}, None
    if tags.get(names.REPORT) == text and not run.lacks(names.REPORT_FILE):
        return {}, None
    pause()
    try:
        run.client.log_artifact(run.run_id, str(file))
    except Exception as error:
        return {}, f"has no report: {told(error)}; `greenexp sync` tries again"
    return {names.REPORT: text}, None


def data_sets(sessions: list[Mapping[str, Any]]) -> dict[str, str]:
    """Fingerprint -> description of the data of the last session that recorded them."""
    data: Mapping[str, Mapping[str, str]] = {}
    for session in sessions:
        data = session.get("data") or data
    return {str(facts["fingerprint"]): str(facts.get("description", "")) for facts in data.values()}


def log_data_sets(
    client: Any, run_id: str, task: Mapping[str, Any], data: Mapping[str, str], tags: Mapping[str, str],
    pause: Callable[[], None],
) -> dict[str, str]:  # fmt: skip
    """The data as data sets of MLflow; the tags that then are true. A server that knows no data sets is left alone.

    task: its settings, among them how much of the data is used; data: fingerprint -> description
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    listed = " ".join(sorted(data))
    if not data or tags.get(names.DATA_SETS) == listed:
        return {}
    source = {"task": task["name"], "settings": {key: value for key, value in task.items() if key != "name"}}
    inputs = [
        DatasetInput(
            Dataset(
                name=str(task["name"]),
                digest=fingerprint[:MAX_DIGEST],
                source_type="greenexp",
                source=json.dumps({**source, "description": description, "fingerprint": fingerprint}),
                profile=json.dumps({key: value for key, value in task.items() if isinstance(value, int)}),
            ),
            [InputTag("mlflow.data.context", "training")],
        )
        for fingerprint, description in sorted(data.items())
    ]
    pause()
    try:
        client.log_inputs(run_id, inputs)
    except MlflowException as error:
        if error.error_code not in _NOT_OFFERED:
            raise
    return {names.DATA_SETS: listed}
