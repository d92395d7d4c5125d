"""All runs of a SQLite file, read by SQL: MLflow's own client takes minutes for 100,000 of them.

The file is opened for reading only, and no statement takes long: MLflow's writers wait for readers. The rows of a part
of a table come as one text, which SQLite puts together and Arrow takes apart, so no Python object is made for a value.

What has changed is told by the rows of `runs`, and by the row numbers of the tables that only grow (`metrics` has each
point logged). Not seen is a tag whose text is changed on a run that has ended, unless something else of it changes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc_csv

from greenexp.tracking.snapshot_folder import Kept
from greenexp.tracking.snapshot_rows import HIDDEN, METRIC, PARAM, TAG, frame_of, numbered

ROWS = 1 << 16
"""Of a table in one statement."""
RUNS = 2000
"""In one statement, where the runs are named."""
SCAN = 0.1
"""Share of the runs from which on tables are read whole."""
WAIT_S = 20.0

NEEDED = {
    "experiments": {"experiment_id", "name"},
    "runs": {"run_uuid", "experiment_id", "name", "status", "start_time", "end_time", "lifecycle_stage"},
    "params": {"run_uuid", "key", "value"},
    "latest_metrics": {"run_uuid", "key", "value", "is_nan"},
    "tags": {"run_uuid", "key", "value"},
    "metrics": {"run_uuid"},
}
"""Table -> columns that are read. MLflow's tables are no public interface: a file with others is read by its client."""

_QUOTED = """'"' || replace(coalesce({0}, ''), '"', '""') || '"'"""
_RUN_LINES = (
    "SELECT CAST(group_concat(run_uuid || ',' || experiment_id || ',' || " + _QUOTED.format("name") + " || ',' || "
    "coalesce(status, '') || ',' || coalesce(start_time, '') || ',' || coalesce(end_time, '') || ',' || "
    "coalesce(lifecycle_stage, ''), char(10)) AS BLOB) FROM runs"
)
_RUN_TYPES = {
    "run_id": pa.string(), "experiment_id": pa.int64(), "name": pa.string(), "state": pa.string(),
    "start": pa.int64(), "end": pa.int64(), "lifecycle": pa.string(),
}  # fmt: skip
_SHOWN = "".join(f" AND substr(key, 1, {len(start)}) <> '{start}'" for start in HIDDEN)
_KINDS = {
    PARAM: ("params", _QUOTED.format("value"), ""),
    METRIC: ("latest_metrics", "coalesce(is_nan, 0)", ""),
    TAG: (
        "tags",
        _QUOTED.format("value"),
        "".join(f" AND substr(key, 1, {len(start)}) <> '{start}'" for start in HIDDEN),
    ),
}
"""Kind -> (table, the value as text, what else holds for a row): tags for machines are left out.

A metric's value is fetched as a number, as SQLite's texts of numbers are not exact; here is whether it is NaN.
"""


class UnknownTablesError(Exception):
    """The file does not have the tables that are known."""


class SqliteRuns:
    """The runs in a SQLite file. sqlite3.Error and UnknownTablesError where it cannot be read this way."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def unchanged(self, marks: Mapping[str, Any]) -> bool:
        """Whether the file, and what is not in it yet, are as they were."""
        return bool(marks.get("stamp") == self._stamp())

    def _stamp(self) -> list[Any]:
        """Size and time of the file and of its log of writes, and the file's own count of changes."""
        found: list[Any] = []
        for file in (self._file, self._file.with_name(f"{self._file.name}-wal")):
            with contextlib.suppress(OSError):
                facts = file.stat()
                found += [facts.st_size, facts.st_mtime_ns, facts.st_ino]
        with self._file.open("rb") as opened:
            return [*found, opened.read(28)[24:].hex()]  # sqlite.org/fileformat2.html, 1.3

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        address = f"file:{quote(str(self._file.resolve()))}?mode=ro"
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=WAIT_S, check_same_thread=False, isolation_level=None)
        ) as database:
            for table, columns in NEEDED.items():
                there = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
                if not columns <= there:
                    raise UnknownTablesError(f"the table {table} lacks {', '.join(sorted(columns - there))}")
            yield database

    def runs(self, _before: Kept | None, /) -> tuple[pd.DataFrame, dict[str, Any]]:
        """All runs; the marks are taken first, so what is written meanwhile is read again next time."""
        stamp = self._stamp()
        with self._connected() as database:
            tops = {table: _top(database, table) for table in ("params", "metrics", "tags")}
            experiments = {
                str(number): name for number, name in database.execute("SELECT experiment_id, name FROM experiments")
            }
            lines = database.execute(_RUN_LINES).fetchone()[0]
            columns = [()] * len(_RUN_TYPES) if lines is None else _csv(lines, _RUN_TYPES).columns
        runs = frame_of(columns, experiments)
        return runs, {"stamp": stamp, "tops": tops}

    def changed(self, runs: pd.DataFrame, before: Kept) -> np.ndarray:
        """Runs with rows that were not there; all of them, if there are fewer rows than there were."""
        tops = before.marks["tops"]
        with self._connected() as database:
            if any(_top(database, table) < top for table, top in tops.items()):
                return np.ones(len(runs), dtype=bool)
            touched: set[str] = set()
            for table, top in tops.items():
                query = f"SELECT DISTINCT run_uuid FROM {table} NOT INDEXED WHERE rowid > ?"
                touched.update(row[0] for row in database.execute(query, (top,)))
        return runs["run_id"].isin(touched).to_numpy()

    def values(self, runs: pd.DataFrame, wanted: np.ndarray) -> Iterator[pa.Table]:
        """Their values; the next part is read while the last one is taken apart."""
        chosen = runs[wanted]
        numbers = dict(zip(chosen["run_id"], chosen["number"].tolist(), strict=True))
        with self._connected() as database, ThreadPoolExecutor(1, thread_name_prefix="greenexp-snapshot") as pool:
            whole = len(chosen) > SCAN * len(runs)
            parts = _scans(database) if whole else _lookups(database, list(numbers))
            ahead = pool.submit(next, parts, None)
            while (part := ahead.result()) is not None:
                ahead = pool.submit(next, parts, None)
                if part.lines is not None:
                    yield _table(part, numbers)


def _top(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a table. lines: id of the run, key, value as text; numbers: the values of metrics, in that order."""

    kind: int
    lines: bytes | None
    numbers: np.ndarray | None = None


def _read(database: sqlite3.Connection, kind: int, where: str, values: tuple[Any, ...]) -> _Part:
    """The rows of a table of which `where` is true."""
    table, value, more = _KINDS[kind]
    rows = f"FROM {table} WHERE {where}{more} ORDER BY rowid"
    line = """run_uuid || ',"' || replace(key, '"', '""') || '",' || text"""
    query = f"SELECT CAST(group_concat({line}, char(10)) AS BLOB) FROM (SELECT run_uuid, key, {value} AS text {rows})"
    if kind != METRIC:
        return _Part(kind, database.execute(query, values).fetchone()[0])
    database.execute("BEGIN")  # both statements see one state
    try:
        lines = database.execute(query, values).fetchone()[0]
        found = itertools.chain.from_iterable(database.execute(f"SELECT value {rows}", values))
        return _Part(kind, lines, np.fromiter(found, np.float64))
    finally:
        database.execute("ROLLBACK")


def _scans(database: sqlite3.Connection) -> Iterator[_Part]:
    """The rows of whole tables."""
    for kind, (table, _, _) in _KINDS.items():
        for first in range(0, _top(database, table) + 1, ROWS):
            yield _read(database, kind, "rowid BETWEEN ? AND ?", (first, first + ROWS - 1))


def _lookups(database: sqlite3.Connection, runs: list[str]) -> Iterator[_Part]:
    """The rows of some runs."""
    for first in range(0, len(runs), RUNS):
        named = json.dumps(runs[first : first + RUNS])
        for kind in _KINDS:
            yield _read(database, kind, "run_uuid IN (SELECT value FROM json_each(?))", (named,))


def _table(part: _Part, numbers: Mapping[str, int]) -> pa.Table:
    table = _csv(
        part.lines,
        {
            "run": pa.dictionary(pa.int32(), pa.string()),
            "key": pa.dictionary(pa.int32(), pa.string()),
            "value": pa.int8() if part.kind == METRIC else pa.string(),
        },
    )
    if part.numbers is not None:
        values = np.where(table["value"].to_numpy() != 0, np.nan, part.numbers)
        table = table.set_column(2, "value", pa.array(values))
    runs = table["run"].unify_dictionaries()
    known = np.array([numbers.get(run, -1) for run in runs.chunk(0).dictionary.to_pylist()], dtype=np.int32)
    number = known[np.concatenate([chunk.indices.to_numpy() for chunk in runs.chunks])]
    if (number < 0).any():
        table, number = table.filter(pa.array(number >= 0)), number[number >= 0]
    return numbered(part.kind, pa.array(number), table["key"], table["value"])


def _csv(lines: bytes | None, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Lines as a table of these columns."""
    return pc_csv.read_csv(
        pa.BufferReader(lines),
        read_options=pc_csv.ReadOptions(column_names=list(types), block_size=1 << 24),
        parse_options=pc_csv.ParseOptions(newlines_in_values=True),
        convert_options=pc_csv.ConvertOptions(column_types=dict(types), null_values=[""], strings_can_be_null=False),
    )
