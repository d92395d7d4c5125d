"""All runs of a PostgreSQL database, read by SQL within one transaction: writers do not wait for readers there.

What has changed is told by the transactions that wrote the rows (`xmin`): every row, also one written anew, of a
transaction that had not ended when the last reading began.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from greenexp.tracking.databases import TIMEOUT_S, with_driver
from greenexp.tracking.server import failures_as
from greenexp.tracking.snapshot_folder import Kept
from greenexp.tracking.snapshot_rows import HIDDEN, METRIC, PARAM, TAG, Point, run_frame, values_table
from greenexp.tracking.snapshot_sqlite import SCAN, UnknownTablesError

ROWS = 50_000
"""Fetched at a time."""
_RUNS = "SELECT run_uuid, experiment_id, name, status, start_time, end_time, lifecycle_stage FROM runs"
_MARK = "SELECT CAST(mod(CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS numeric), 4294967296) AS text)"
_TOUCHED = "SELECT DISTINCT run_uuid FROM {0} WHERE age(xmin) <= age(CAST(:mark AS xid))"
_KINDS = {
    PARAM: "SELECT run_uuid, key, value FROM params",
    METRIC: "SELECT run_uuid, key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics",
    TAG: "SELECT run_uuid, key, coalesce(value, '') FROM tags WHERE "
    + " AND ".join(f"left(key, {len(start)}) <> '{start}'" for start in HIDDEN),
}


class PostgresqlRuns:
    """The runs in a PostgreSQL database.

    TrackingError where it does not answer, UnknownTablesError where a table or a column is not there as expected
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def unchanged(self, _marks: Mapping[str, Any], /) -> bool:
        """Not certain without asking."""
        return False

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        import sqlalchemy

        unknown: Exception | None = None
        with failures_as(self._uri):
            engine = sqlalchemy.create_engine(
                with_driver(self._uri),
                poolclass=sqlalchemy.pool.NullPool,
                connect_args={"connect_timeout": TIMEOUT_S},
            )
            try:
                with engine.connect() as connection:
                    yield connection
            except sqlalchemy.exc.ProgrammingError as error:
                unknown = error
            finally:
                engine.dispose()
        if unknown is not None:
            raise UnknownTablesError(str(unknown)) from unknown

    def runs(self, _before: Kept | None, /) -> tuple[pd.DataFrame, dict[str, Any]]:
        """All runs; the mark is taken first, so what is written meanwhile is read again next time."""
        with self._connected() as connection:
            mark = _rows(connection, _MARK)[0][0]
            experiments = _rows(connection, "SELECT experiment_id, name FROM experiments")
            rows = _rows(connection, _RUNS)
        return run_frame(rows, {str(number): name for number, name in experiments}), {"mark": mark}

    def changed(self, runs: pd.DataFrame, before: Kept) -> np.ndarray:
        """Runs of which some row was written since."""
        touched: set[str] = set()
        with self._connected() as connection:
            for table in ("params", "latest_metrics", "tags"):
                found = _rows(connection, _TOUCHED.format(table), {"mark": before.marks["mark"]})
                touched.update(row[0] for row in found)
        return runs["run_id"].isin(touched).to_numpy()

    def values(self, runs: pd.DataFrame, wanted: np.ndarray) -> Iterator[pa.Table]:
        """Their values."""
        import sqlalchemy

        chosen = runs[wanted]
        numbers = dict(zip(chosen["run_id"], chosen["number"].tolist(), strict=True))
        whole = len(chosen) > SCAN * len(runs)
        with self._connected() as connection:
            for kind, query in _KINDS.items():
                if not whole:
                    query += f" {'AND' if 'WHERE' in query else 'WHERE'} run_uuid = ANY(:runs)"
                streamed = connection.execution_options(stream_results=True, yield_per=ROWS)
                result = streamed.execute(sqlalchemy.text(query), {} if whole else {"runs": list(numbers)})
                for part in result.partitions(ROWS):
                    rows = [(numbers[run], key, value) for run, key, value in part if run in numbers]
                    if rows:
                        yield values_table(kind, *map(list, zip(*rows, strict=True)))

    def points(self, runs: Sequence[str]) -> Iterator[Point]:
        """All points of the metrics of some runs; those of a metric in the order of MLflow's client."""
        query = "SELECT run_uuid, key, step, CASE WHEN is_nan THEN NULL ELSE value END FROM metrics "
        query += "WHERE run_uuid = ANY(:runs) ORDER BY timestamp, step, value"
        with self._connected() as connection:
            rows = _rows(connection, query, {"runs": list(runs)})
        yield from map(tuple, rows)


def _rows(connection: Any, query: str, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
    import sqlalchemy

    return list(connection.execute(sqlalchemy.text(query), dict(values or {})).fetchall())
