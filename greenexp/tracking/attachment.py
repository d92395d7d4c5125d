"""The report beside the runs it was made of: an artifact of the sweep's own run in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME, read_events
from greenexp.tracking.artifacts import settle_artifacts
from greenexp.tracking.run_writer import find_runs, key_of
from greenexp.tracking.server import connect, failures_as, redacted
from greenexp.tracking.tracked_sweep import SWEEP_KEY, TrackedSweep


def attach(folder: Path, uri: str, experiment: str, files: Sequence[Path]) -> None:
    """Log `files` as artifacts of the run of the sweep in `folder`, over older ones of the same names.

    Raises TrackingError if MLflow cannot be reached, or does not hold the sweep yet (`greenexp sync` brings it there).
    """
    tracked = TrackedSweep()
    tracked.take(read_events(folder / NAME))
    client = connect(uri)
    with failures_as(uri):
        settle_artifacts(uri)
        found = client.get_experiment_by_name(experiment)
        runs = [] if found is None else find_runs(client, [found.experiment_id], tracked.sweep_id)
        own = next((run for run in runs if key_of(run.data.tags) == SWEEP_KEY), None)
        if own is None:
            raise TrackingError(f"the sweep in {folder} is not in MLflow at {redacted(uri)} yet")
        for file in files:
            client.log_artifact(own.info.run_id, str(file))
