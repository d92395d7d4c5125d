"""All runs of an MLflow as tables, read once and from then on only where something has changed.

A file of SQLite and a database of PostgreSQL are read by SQL, everything else, and what does not look as known, through
MLflow's public client. What was read is kept in a folder, which any number of processes may use at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from platformdirs import user_cache_path

from greenexp.errors import TrackingError
from greenexp.records.addresses import without_password
from greenexp.tracking.by_sql import UnknownTablesError, sql_runs
from greenexp.tracking.server import redacted, sqlite_file
from greenexp.tracking.snapshot_folder import Kept, SnapshotFolder, passing_folder
from greenexp.tracking.snapshot_pages import ClientRuns
from greenexp.tracking.snapshot_rows import FOUND, Found, RunSource

COMPARED = ["experiment_id", "experiment", "name", "state", "start_s", "end_s", "lifecycle"]
"""Of a run: read anew if one of them differs."""


@dataclass(frozen=True, slots=True)
class RunsSnapshot:
    """kept: what is known; read_s: how long this reading took; changed: runs read anew; folder: where it is kept."""

    kept: Kept
    read_s: float
    changed: int
    folder: Path


def read_snapshot(uri: str, folder: Path | None = None) -> RunsSnapshot:
    """Bring what is kept of the MLflow at `uri` up to date, and return it.

    folder: of the cache; a snapshot lies in a folder of its own in it. By default the user's.
    Raises TrackingError where MLflow cannot be read; a folder that cannot be written, or is damaged, costs time only.
    """
    began = time.monotonic()
    file = sqlite_file(uri)
    if file is not None and not file.is_file():
        raise TrackingError(f"there is no MLflow database at {file}")
    place = _place(uri, folder or user_cache_path("greenexp") / "mlflow")
    here = SnapshotFolder(place)
    with here.locked() as mine:
        if mine:
            with contextlib.suppress(OSError):  # the disk is full, or the folder is gone
                kept, changed = _refreshed(uri, here)
                return RunsSnapshot(kept, time.monotonic() - began, changed, place)
    with passing_folder() as scratch:
        try:
            kept, changed = _refreshed(uri, scratch)
        except OSError as error:
            raise TrackingError(f"cannot write a snapshot of {redacted(uri)}: {error}") from error
    return RunsSnapshot(kept, time.monotonic() - began, changed, place)


def forget(snapshot: RunsSnapshot) -> None:
    """Begin anew next time: a file turned out to be damaged."""
    SnapshotFolder(snapshot.folder).forget()


def _place(uri: str, folder: Path) -> Path:
    """A folder per address, of a file per file: two spellings of one path mean one snapshot."""
    file = sqlite_file(uri)
    told = without_password(uri) if file is None else str(file.resolve())
    return folder / hashlib.sha256(told.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _refreshed(uri: str, folder: SnapshotFolder) -> tuple[Kept, int]:
    before = folder.load()
    fast = sql_runs(uri)
    if fast is not None:
        with contextlib.suppress(sqlite3.Error, UnknownTablesError, TimeoutError):
            return _read(fast, folder, before)
        before = folder.load()
    return _read(ClientRuns(uri), folder, before)


def _read(source: RunSource, folder: SnapshotFolder, before: Kept | None) -> tuple[Kept, int]:
    kind = type(source).__name__
    if before is not None and before.marks.get("reader") != kind:
        before = None  # the marks of another reader say nothing to this one
    if before is not None and source.unchanged(before.marks):
        return before, 0
    runs, marks = source.runs(before)
    runs, wanted = _with_known(source, runs, before)
    segment = None
    if wanted.any():
        found = Found()
        segment = folder.write_segment(found.passing(source.values(runs, wanted)))
        said = found.columns(runs["number"][wanted])
        for name in FOUND:
            runs.loc[wanted, name] = said[name]
        runs.loc[wanted, "segment"] = -1
    return folder.store(runs, {**marks, "reader": kind}, before, segment), int(wanted.sum())


def _with_known(source: RunSource, runs: pd.DataFrame, before: Kept | None) -> tuple[pd.DataFrame, np.ndarray]:
    """The runs with their numbers and what was known of them; which of them must be read."""
    runs = runs.reset_index(drop=True)
    if before is None:
        known = pd.DataFrame(dict.fromkeys(FOUND, ""), index=runs.index).assign(
            score=np.nan, reported_s=np.nan, number=np.arange(len(runs), dtype=np.int32), segment=-1
        )
        return runs.join(known), np.ones(len(runs), dtype=bool)
    old = before.runs.set_index("run_id").reindex(runs["run_id"]).reset_index()
    new = old["number"].isna().to_numpy()
    differs = new.copy()
    for column in COMPARED:
        mine, its = runs[column], old[column]
        differs |= ~((mine == its) | (mine.isna() & its.isna())).fillna(False).to_numpy(bool)
    differs |= runs["end_s"].isna().to_numpy()
    wanted = differs | source.changed(runs, before)
    numbers = old["number"].to_numpy(np.float64, na_value=np.nan).copy()
    first = int(before.runs["number"].max()) + 1 if len(before.runs) else 0
    numbers[new] = first + np.arange(int(new.sum()))
    runs = runs.join(old[[*FOUND]]).assign(number=numbers.astype(np.int32))
    return runs.assign(segment=old["segment"].fillna(-1).astype(np.int64)), wanted
