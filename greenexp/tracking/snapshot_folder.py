"""What a snapshot of MLflow's runs keeps on disk: Parquet files, named by one small file that is replaced last.

The runs are one file, written anew each time. Parameters, metrics and tags are in segments: a segment holds all that
was known of some runs when they were read, and of each run only the segment that `runs` names for it counts. A reading
of a few runs adds a small segment, and many small ones are made one.

Whatever is damaged or of another version is as if it were not there.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

FORMAT = 2
MANIFEST = "snapshot.json"
LOCK_S = 30.0
"""For another process that reads the same MLflow; then it is read without keeping anything."""
MOST_SEGMENTS = 12
ROWS_PER_GROUP = 1 << 16

KINDS = ("param", "metric", "tag")
VALUES = pa.schema([
    ("run", pa.int32()),
    ("kind", pa.int8()),
    ("key", pa.dictionary(pa.int32(), pa.string())),
    ("value", pa.string()),
    ("number", pa.float64()),
])  # fmt: skip
"""Of a segment. run: its number; kind: its place in KINDS; value: null of a metric; number: null of the others."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A snapshot as it is kept.

    runs: one row per run, of which `number` and `segment` are the folder's own
    marks: what the reader needs to know what has changed since
    segments: number -> the open file; it stays readable when another process replaces it
    """

    runs: pd.DataFrame
    marks: Mapping[str, Any]
    segments: Mapping[int, pq.ParquetFile] = field(default_factory=dict)

    def values(self, numbers: np.ndarray) -> pa.Table:
        """The rows of some runs, by their numbers. OSError or pa.ArrowInvalid where a file is damaged."""
        rows = self.runs[self.runs["number"].isin(numbers)]
        found = [
            _rows(self.segments[number], rows["number"][rows["segment"] == number].to_numpy())
            for number in sorted(map(int, rows["segment"].unique()))
        ]
        return pa.concat_tables(found).unify_dictionaries() if found else VALUES.empty_table()


class SnapshotFolder:
    """A folder that holds one snapshot. Whoever writes has entered `locked`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """True while this process alone may write here; False where the folder cannot be written, or not soon."""
        lock = None
        with contextlib.suppress(OSError, Timeout):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._folder / "snapshot.lock", timeout=LOCK_S)
            lock.acquire()
        try:
            yield lock is not None and lock.is_locked
        finally:
            if lock is not None:
                lock.release()

    def load(self) -> Kept | None:
        """What is kept here, or None: nothing, or nothing that can be read."""
        try:
            manifest = json.loads((self._folder / MANIFEST).read_text(encoding="utf-8"))
            if manifest["format"] != FORMAT:
                return None
            runs = pd.read_parquet(self._folder / manifest["runs"])
            segments = {int(number): _opened(self._folder / name) for number, name in manifest["segments"].items()}
            if not set(runs["segment"].unique()) <= set(segments):
                return None
            return Kept(runs, manifest["marks"], segments)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):  # pyarrow's are OSError or ValueError
            return None

    def forget(self) -> None:
        """Make the next reading begin anew: something here is damaged."""
        with contextlib.suppress(OSError):
            (self._folder / MANIFEST).unlink()

    def write_segment(self, values: Iterable[pa.Table]) -> str:
        """Write values as a segment that nothing names yet; its file. OSError where the disk does not take it."""
        name = f"values-{secrets.token_hex(8)}.parquet"
        with pq.ParquetWriter(
            self._folder / name, VALUES, use_dictionary=["key"], compression="lz4", write_page_checksum=True
        ) as writer:
            for table in values:
                writer.write_table(table, row_group_size=ROWS_PER_GROUP)
        return name

    def store(self, runs: pd.DataFrame, marks: Mapping[str, Any], before: Kept | None, segment: str | None) -> Kept:
        """Keep these runs; those whose `segment` is missing (-1) are in the file `segment`.

        before: what is kept and goes on being valid, None: nothing. Raises OSError where the disk does not take it.
        """
        segments = {} if before is None else dict(before.segments)
        files = {} if before is None else self._names()
        if segment is not None:
            new = max(segments, default=-1) + 1
            files[new], segments[new] = segment, _opened(self._folder / segment)
            runs = runs.assign(segment=runs["segment"].where(runs["segment"] >= 0, new))
        used = set(runs["segment"].unique())
        segments = {number: file for number, file in segments.items() if number in used}
        if len(segments) > MOST_SEGMENTS:
            runs, segments, files = self._merged(runs, segments, files)
        name = f"runs-{secrets.token_hex(8)}.parquet"
        runs.to_parquet(self._folder / name, index=False)
        manifest = {
            "format": FORMAT, "runs": name, "marks": marks,
            "segments": {str(number): files[number] for number in segments},
        }  # fmt: skip
        draft = self._folder / f".{secrets.token_hex(8)}.tmp"
        draft.write_text(json.dumps(manifest), encoding="utf-8")
        draft.replace(self._folder / MANIFEST)
        self._sweep_out({name, *(files[number] for number in segments)})
        return Kept(runs, marks, segments)

    def _names(self) -> dict[int, str]:
        manifest = json.loads((self._folder / MANIFEST).read_text(encoding="utf-8"))
        return {int(number): name for number, name in manifest["segments"].items()}

    def _merged(
        self, runs: pd.DataFrame, segments: Mapping[int, pq.ParquetFile], files: Mapping[int, str]
    ) -> tuple[pd.DataFrame, dict[int, pq.ParquetFile], dict[int, str]]:
        """All but the largest segment made one; the largest too, where it holds no longer more than the others."""
        largest = max(segments, key=lambda number: segments[number].metadata.num_rows)
        small = [number for number in segments if number != largest]
        if sum(segments[number].metadata.num_rows for number in small) > segments[largest].metadata.num_rows:
            small = list(segments)
        moved = runs["segment"].isin(small)
        new = max(segments) + 1
        name = self.write_segment([Kept(runs[moved], {}, segments).values(runs["number"][moved].to_numpy())])
        kept = {number: file for number, file in segments.items() if number not in small}
        kept[new] = _opened(self._folder / name)
        return runs.assign(segment=runs["segment"].where(~moved, new)), kept, {**files, new: name}

    def _sweep_out(self, named: set[str]) -> None:
        """Remove files that the manifest does not name: of earlier readings, and of processes that were killed."""
        for file in (*self._folder.glob("*.parquet"), *self._folder.glob(".*.tmp")):
            if file.name not in named:
                with contextlib.suppress(OSError):
                    file.unlink()


@contextlib.contextmanager
def passing_folder() -> Iterator[SnapshotFolder]:
    """A folder for a snapshot that cannot be kept: what was opened in it stays readable after its end."""
    scratch = Path(tempfile.mkdtemp(prefix="greenexp-snapshot-"))
    try:
        yield SnapshotFolder(scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _opened(file: Path) -> pq.ParquetFile:
    return pq.ParquetFile(os.fspath(file), page_checksum_verification=True)


def _rows(file: pq.ParquetFile, numbers: np.ndarray) -> pa.Table:
    """The rows of some runs, from the groups of rows that may hold them."""
    wanted, groups = np.sort(numbers), []
    for group in range(file.metadata.num_row_groups):
        statistics = file.metadata.row_group(group).column(0).statistics
        known = statistics is not None and statistics.has_min_max
        first, last = (statistics.min, statistics.max) if known else (wanted[0], wanted[-1])
        if np.searchsorted(wanted, first) < np.searchsorted(wanted, last, side="right"):
            groups.append(group)
    table = file.read_row_groups(groups).cast(VALUES) if groups else VALUES.empty_table()
    inside = np.isin(table["run"].to_numpy(), wanted)
    return table.filter(pa.array(inside))
