"""All runs of a SQLite file, read by SQL: MLflow's own client takes minutes for 100,000 of them.

The file is opened for reading only, and no statement takes long: MLflow's writers wait for readers. The rows of a part
of a table come as a JSON array for each column, which SQLite writes and Arrow reads: no Python object is made for a
value, and SQLite takes a fifth of the time in which it puts lines of text together.

What has changed is told by the rows of `runs`, and by the row numbers of the tables that only grow (`metrics` has each
point logged). Not seen is a tag whose text is changed on a run that has ended, unless something else of it changes.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from greenexp.tracking.snapshot_folder import Kept
from greenexp.tracking.snapshot_rows import HIDDEN, METRIC, PARAM, TAG, Point, frame_of, numbered

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
    "metrics": {"run_uuid", "key", "step", "value", "is_nan", "timestamp"},
}
"""Table -> columns that are read. MLflow's tables are no public interface: a file with others is read by its client."""

_RUN_COLUMNS = {
    "run_uuid": pa.string(), "experiment_id": pa.int64(), "name": pa.string(), "status": pa.string(),
    "start_time": pa.int64(), "end_time": pa.int64(), "lifecycle_stage": pa.string(),
}  # fmt: skip
_TABLES = {PARAM: "params", METRIC: "latest_metrics", TAG: "tags"}
_SHOWN = {TAG: "".join(f" AND substr(key, 1, {len(start)}) <> '{start}'" for start in HIDDEN)}
"""What else holds for a row: tags for machines are left out."""


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
            columns = _columns(database, _RUN_COLUMNS, "FROM runs")
        return frame_of(columns, experiments), {"stamp": stamp, "tops": tops}

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
                if len(part.runs):
                    yield _table(part, numbers)

    def points(self, runs: Sequence[str]) -> Iterator[Point]:
        """All points of the metrics of some runs; those of a metric in the order of MLflow's client."""
        query = "SELECT run_uuid, key, step, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics "
        query += "WHERE run_uuid IN (SELECT value FROM json_each(?)) ORDER BY timestamp, step, value"
        with self._connected() as database:
            for first in range(0, len(runs), RUNS):
                yield from database.execute(query, (json.dumps(runs[first : first + RUNS]),))


def _top(database: sqlite3.Connection, table: str) -> int:
    return int(database.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}").fetchone()[0])


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a table. runs: the ids of their runs; cells: texts, or the numbers of metrics."""

    kind: int
    runs: pa.Array
    keys: pa.Array
    cells: pa.Array


def _columns(
    database: sqlite3.Connection, types: Mapping[str, pa.DataType], rows: str, values: tuple[Any, ...] = ()
) -> list[pa.Array]:
    """These columns of the rows of a table; rows: a query from its FROM on."""
    arrays = ", ".join(f"CAST(json_group_array({name}) AS BLOB)" for name in types)
    found = database.execute(f"SELECT {arrays} {rows}", values).fetchone()
    text = b"{" + b",".join(b'"%b":%b' % (name.encode(), part) for name, part in zip(types, found, strict=True)) + b"}"
    schema = pa.schema([(name, pa.list_(kind)) for name, kind in types.items()])
    table = pa_json.read_json(
        pa.BufferReader(text),
        read_options=pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1),  # it is one line
        parse_options=pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )
    return [table[name].chunk(0).flatten() for name in types]


def _read(database: sqlite3.Connection, kind: int, where: str, values: tuple[Any, ...]) -> _Part:
    """The rows of a table of which `where` is true.

    A metric's value is fetched as a number, as SQLite's texts of numbers are not exact.
    """
    rows = f"FROM {_TABLES[kind]} WHERE {where}{_SHOWN.get(kind, '')}"
    if kind != METRIC:
        return _Part(kind, *_columns(database, dict.fromkeys(("run_uuid", "key", "value"), pa.string()), rows, values))
    types = {"run_uuid": pa.string(), "key": pa.string(), "is_nan": pa.int8(), "rowid": pa.int64()}
    database.execute("BEGIN")  # both statements see one state
    try:
        runs, keys, is_nan, order = _columns(database, types, rows, values)
        found = itertools.chain.from_iterable(database.execute(f"SELECT value {rows} ORDER BY rowid", values))
        numbers = np.fromiter(found, np.float64, count=len(runs))
    finally:
        database.execute("ROLLBACK")
    number = np.empty_like(numbers)
    number[np.argsort(order.to_numpy(), kind="stable")] = numbers
    number[is_nan.fill_null(0).to_numpy() != 0] = np.nan
    return _Part(kind, runs, keys, pa.array(number))


def _scans(database: sqlite3.Connection) -> Iterator[_Part]:
    """The rows of whole tables."""
    for kind, table in _TABLES.items():
        for first in range(0, _top(database, table) + 1, ROWS):
            yield _read(database, kind, "rowid BETWEEN ? AND ?", (first, first + ROWS - 1))


def _lookups(database: sqlite3.Connection, runs: list[str]) -> Iterator[_Part]:
    """The rows of some runs."""
    for first in range(0, len(runs), RUNS):
        named = json.dumps(runs[first : first + RUNS])
        for kind in _TABLES:
            yield _read(database, kind, "run_uuid IN (SELECT value FROM json_each(?))", (named,))


def _table(part: _Part, numbers: Mapping[str, int]) -> pa.Table:
    runs = part.runs.dictionary_encode()
    known = np.array([numbers.get(run, -1) for run in runs.dictionary.to_pylist()], dtype=np.int32)
    number, key, value = pa.array(known[runs.indices.to_numpy()]), part.keys.dictionary_encode(), part.cells
    if (known < 0).any():
        mine = pc.greater_equal(number, 0)
        number, key, value = number.filter(mine), key.filter(mine), value.filter(mine)
    return numbered(part.kind, number, key, value if part.kind == METRIC else value.fill_null(""))
