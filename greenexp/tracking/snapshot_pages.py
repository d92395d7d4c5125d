"""All runs through MLflow's public client: of a server, and of every database that is not read by SQL.

A server says of no run when it was last written, and times of runs are those of the journal they were written from. So
a refresh asks for the runs that have not ended, and those that began or ended lately. A journal that is written later
is told by the sweep's own run: after `SWEEPS_S` a refresh asks for those of all sweeps, and for all runs of each that
has changed; after `WHOLE_S` it asks for everything again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from greenexp.tracking import names
from greenexp.tracking.server import connect_existing, failures_as
from greenexp.tracking.snapshot_folder import Kept
from greenexp.tracking.snapshot_rows import COLUMNS, HIDDEN, METRIC, PARAM, TAG, run_frame, values_table

SMALLEST_PAGE, FIRST_PAGE, LARGEST_PAGE = 50, 250, 1000
"""Runs asked for at a time. A server takes 2 to 3 s of CPU time for 1,000, and a busy one comes to the time limit."""
SLOW_S = 3.0
WHOLE_S = 3600.0
SWEEPS_S = 60.0
"""Of a thousand sweeps a server needs two seconds to list their own runs, and a tenth of a second for all else."""
LATELY_MS = 60_000
"""Before the last reading: clocks differ."""
RUNS = 5000
"""Runs in one table."""
_FINAL = ("FINISHED", "FAILED", "KILLED")


class ClientRuns:
    """The runs at any MLflow address. TrackingError where it does not answer."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._read: dict[str, Any] = {}

    def unchanged(self, _marks: Mapping[str, Any], /) -> bool:
        """Never certain."""
        return False

    def runs(self, before: Kept | None, /) -> tuple[pd.DataFrame, dict[str, Any]]:
        """All runs; only some of them are asked for, where it is known what there was."""
        now = time.time()
        client = connect_existing(self._uri)
        with failures_as(self._uri):
            experiments = _experiments(client)
            whole = before is None or now - before.marks["whole_s"] > WHOLE_S
            listed = whole or before is None or now - before.marks.get("sweeps_s", 0.0) > SWEEPS_S
            queries = [""] if whole or before is None else _queries(client, experiments, before, listed)
            for query in queries:
                self._read.update({run.info.run_id: run for run in _search(client, experiments, query)})
        rows = [_row(run) for run in self._read.values()]
        marks = {"read_s": now, "whole_s": now if whole or before is None else before.marks["whole_s"]}
        marks["sweeps_s"] = now if listed or before is None else before.marks["sweeps_s"]
        fresh = run_frame(rows, experiments)
        if whole or before is None:
            return fresh, marks
        kept = before.runs[
            ~before.runs["run_id"].isin(fresh["run_id"]) & before.runs["experiment_id"].isin(experiments)
        ]
        return pd.concat([kept[list(COLUMNS)], fresh], ignore_index=True), marks

    def changed(self, runs: pd.DataFrame, _before: Kept, /) -> np.ndarray:
        """All that were asked for."""
        return runs["run_id"].isin(self._read).to_numpy()

    def values(self, runs: pd.DataFrame, wanted: np.ndarray) -> Iterator[pa.Table]:
        """Their values, which came with the runs."""
        numbers = dict(zip(runs["run_id"][wanted], runs["number"][wanted], strict=True))
        listed = [(int(number), self._read[run].data) for run, number in numbers.items() if run in self._read]
        for first in range(0, len(listed), RUNS):
            part = listed[first : first + RUNS]
            for kind, values_of in ((PARAM, _params), (METRIC, _metrics), (TAG, _tags)):
                rows = [(number, key, value) for number, data in part for key, value in values_of(data).items()]
                if rows:
                    yield values_table(kind, *map(list, zip(*rows, strict=True)))


def _params(data: Any) -> Mapping[str, str]:
    return dict(data.params)


def _metrics(data: Any) -> Mapping[str, float]:
    return dict(data.metrics)


def _tags(data: Any) -> Mapping[str, str]:
    return {name: text for name, text in data.tags.items() if not name.startswith(HIDDEN)}


def _row(run: Any) -> tuple[Any, ...]:
    info = run.info
    return (
        *(info.run_id, info.experiment_id, info.run_name, info.status, info.start_time, info.end_time or None),
        info.lifecycle_stage,
    )


def _experiments(client: Any) -> dict[str, str]:
    from mlflow.entities import ViewType

    found: dict[str, str] = {}
    token = None
    while True:
        page = client.search_experiments(view_type=ViewType.ALL, page_token=token)
        found.update({str(one.experiment_id): str(one.name) for one in page})
        token = page.token
        if not token:
            return found


def _search(client: Any, experiments: Mapping[str, str], query: str) -> Iterator[Any]:
    """Active and deleted runs that answer a query, page by page; pages are as large as the server is quick."""
    from mlflow.entities import ViewType
    from mlflow.exceptions import MlflowException

    token, size = None, FIRST_PAGE
    while experiments:
        began = time.monotonic()
        try:
            page = client.search_runs(
                list(experiments), filter_string=query, run_view_type=ViewType.ALL, max_results=size, page_token=token
            )
        except MlflowException as error:
            if size == SMALLEST_PAGE or "timed out" not in str(error):
                raise
            size = max(SMALLEST_PAGE, size // 4)
            continue
        yield from page
        token, taken_s = page.token, time.monotonic() - began
        if not token:
            return
        if taken_s > SLOW_S:
            size = max(SMALLEST_PAGE, size // 2)
        elif taken_s < SLOW_S / 3:
            size = min(LARGEST_PAGE, size * 2)


def _queries(client: Any, experiments: Mapping[str, str], before: Kept, listed: bool) -> list[str]:
    """What to ask for, so that what may have changed is among the answers; listed: all sweeps are looked at."""
    since = round(before.marks["read_s"] * 1000) - LATELY_MS
    ended = " AND ".join(f"attributes.status != '{status}'" for status in _FINAL)
    queries = [ended, f"attributes.end_time >= {since}", f"attributes.start_time >= {since}"]
    open_before = before.runs["run_id"][before.runs["end_s"].isna()]
    queries += [f"attributes.run_id IN ({', '.join(map(repr, part))})" for part in _parts(list(open_before))]
    if not listed:
        return queries
    known = before.runs.set_index("run_id")
    for run in _search(client, experiments, f"tags.`{names.KIND}` = '{names.SWEEP}'"):
        if run.info.run_id not in known.index or not _same(known.loc[run.info.run_id], run):
            queries.append(f"tags.`{names.SWEEP_ID}` = '{run.data.tags.get(names.SWEEP_ID, '')}'")
    return queries


def _parts(runs: list[str], size: int = 200) -> Iterator[list[str]]:
    for first in range(0, len(runs), size):
        yield runs[first : first + size]


def _same(row: pd.Series, run: Any) -> bool:
    """Whether a sweep's own run is as it was known: it ends anew whenever something was written."""
    end_s = run.info.end_time / 1000 if run.info.end_time else np.nan
    same_end = row["end_s"] == end_s or (pd.isna(row["end_s"]) and pd.isna(end_s))
    same_words = row["word"] == run.data.tags.get(names.STATUS, "") and row["lifecycle"] == run.info.lifecycle_stage
    return bool(row["state"] == run.info.status and same_end and same_words)
