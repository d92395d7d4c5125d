"""Points of metrics read by SQL are those that MLflow's client tells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Metric

from greenexp.tracking import histories
from greenexp.tracking.reader import read_tables
from greenexp.tracking.sync import sync


def read(client: Any, uri: str, wanted: Mapping[str, list[str]]) -> histories.Histories:
    with ThreadPoolExecutor(1) as pool:
        return histories.read_histories(client, uri, wanted, pool)


def test_both_ways_give_the_same(client: Any, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, other = (client.create_run("0").info.run_id for _ in range(3))
    points = [("a", 1.5, 20, 1), ("a", 2.5, 10, 1), ("a", math.nan, 30, 2), ("b", math.inf, 5, 0), ("c", 9.0, 5, 0)]
    client.log_batch(one, [Metric(*point) for point in points])
    client.log_batch(two, [Metric("a", 0.1 + 0.2, 7, 3)])
    client.log_batch(other, [Metric("a", 7.0, 7, 3)])
    wanted = {one: ["a", "b"], two: ["a", "not there"]}
    by_sql = read(client, uri, wanted)
    monkeypatch.setattr(histories, "sql_runs", lambda _: None)
    by_client = read(client, uri, wanted)
    assert repr(by_sql) == repr(by_client)  # as text: no NaN equals another
    assert by_sql[two] == {"a": {3: 0.1 + 0.2}, "not there": {}}
    assert by_sql[one]["a"][1] == 1.5


def test_the_tables_of_a_sweep_are_the_same(uri: str, sweep_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(sweep_folder, uri)
    by_sql = read_tables(uri)
    monkeypatch.setattr(histories, "sql_runs", lambda _: None)
    by_client = read_tables(uri)
    assert by_sql.trials.equals(by_client.trials)
    assert by_sql.epochs.equals(by_client.epochs)
    assert by_sql.exits.equals(by_client.exits)
