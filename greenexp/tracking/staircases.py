"""A trial's operating points over thresholds as an artifact of its run: one Parquet file per trial.

The file is named after the dev logits it was replayed from, and the tag POINTS names the file once it is there. So a
trial that goes on after an interruption gets another file, and nothing is logged twice.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd

from greenexp.errors import TrackingError
from greenexp.records.staircase import read_staircase
from greenexp.tracking import names


def artifact_name(logits: str) -> str:
    """Path of the artifact for the dev logits with this hash, relative to the run's artifacts."""
    return f"{names.POINTS_FOLDER}/{logits[:16]}.parquet"


def log_staircase(client: Any, run_id: str, folder: Path, logits: str, metric: str) -> bool:
    """Replay the dev logits in a sweep's folder and log the points; False if there is nothing to replay."""
    steps = read_staircase(folder, logits, metric)
    if steps is None:
        return False
    target, _, name = artifact_name(logits).rpartition("/")
    with tempfile.TemporaryDirectory(prefix="greenexp-points-") as scratch:
        file = Path(scratch) / name
        steps.to_parquet(file, index=False)
        client.log_artifact(run_id, str(file), target)
    return True


def fetch_staircase(client: Any, run_id: str, logits: str) -> pd.DataFrame | None:
    """The points logged for these dev logits; None if the artifact cannot be had. TrackingError if it is damaged."""
    with tempfile.TemporaryDirectory(prefix="greenexp-points-") as scratch:
        file: Path | None = None
        with contextlib.suppress(Exception):  # a database copied without its artifacts is still a record
            file = Path(client.download_artifacts(run_id, artifact_name(logits), scratch))
        if file is None or not file.is_file():
            return None
        try:
            return pd.read_parquet(file)
        except (OSError, ValueError) as error:  # pyarrow's errors are one or the other
            raise TrackingError(f"the artifact {artifact_name(logits)} in MLflow is damaged: {error}") from error
