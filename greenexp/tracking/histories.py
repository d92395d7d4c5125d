"""All points of the metrics of some runs.

MLflow's client asks for one metric of one run at a time. In a database of many runs such a query goes through the
points of all runs that have this metric: of its indices SQLite takes that of the primary key, which begins with the
metric. So a sweep among 100,000 runs takes a minute. By SQL it is one query, over the index of the runs.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

from greenexp.tracking.by_sql import UnknownTablesError, sql_runs
from greenexp.tracking.snapshot_rows import Point

Histories = dict[str, dict[str, dict[int, float]]]
"""Run id -> metric -> step -> value; of several points of a step the last one."""


def read_histories(client: Any, uri: str, wanted: Mapping[str, Collection[str]], pool: Executor) -> Histories:
    """What the MLflow at `uri` holds of these metrics. Whoever calls makes its failures TrackingError.

    wanted: run id -> metrics; pool: threads for requests where there is no SQL
    """
    source = sql_runs(uri)
    if source is not None and wanted:
        with contextlib.suppress(sqlite3.Error, UnknownTablesError, TimeoutError):
            return _sorted_out(source.points(list(wanted)), wanted)
    found = pool.map(lambda run: {key: _history(client, run, key) for key in wanted[run]}, wanted)
    return dict(zip(wanted, found, strict=True))


def _sorted_out(points: Iterable[Point], wanted: Mapping[str, Collection[str]]) -> Histories:
    found: Histories = {run: {key: {} for key in keys} for run, keys in wanted.items()}
    for run, key, step, value in points:
        if key in found[run]:
            found[run][key][step] = math.nan if value is None else value
    return found


def _history(client: Any, run: str, key: str) -> dict[int, float]:
    return {point.step: point.value for point in client.get_metric_history(run, key)}
