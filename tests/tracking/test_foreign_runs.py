"""Runs of other programs as one table."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow_runs import BEGAN_MS, log_run, log_search

from greenexp.analysis.comparing.groups import compare_groups
from greenexp.errors import InputError, TrackingError
from greenexp.tracking import foreign
from greenexp.tracking.foreign import COLUMNS, read_runs
from greenexp.tracking.server import connect


@pytest.fixture(scope="module")
def searched(fresh: Callable[[], str]) -> str:
    """Experiment `search` with nine runs, `other` with one that has no acc."""
    uri = fresh()
    client = connect(uri)
    log_search(client, client.create_experiment("search"))
    log_run(client, client.create_experiment("other"), 20, metrics={"loss": 1.0}, params={"model": "bert"})
    return uri


def test_the_table(searched: str) -> None:
    found = read_runs(searched, "metrics.acc", "metrics.seconds", "params.model")
    table = found.runs
    assert tuple(table.columns) == COLUMNS
    assert table["name"].tolist() == [f"run-{number}" for number in range(9)]
    assert table["group"].tolist() == ["bert", "albert", "bert", "bert", "albert", "bert", "albert", "bert", "albert"]
    assert table["status"].value_counts().to_dict() == {"FINISHED": 7, "FAILED": 1, "RUNNING": 1}
    assert table["logged"].tolist() == [True, True, False, True, True, True, True, True, True]
    assert table["score"].isna().tolist() == [False, False, True, False, False, False, False, False, True]
    assert table["cost"].sum() == 67.0
    assert table["duration_s"].isna().tolist() == [False] * 7 + [True, False]
    assert table["began_s"].iloc[0] == BEGAN_MS / 1000
    assert not table["own"].any()
    assert found.experiments == ("search",)
    assert found.left_out == (1, 1)


def test_duration_is_a_cost_and_experiment_a_group(searched: str) -> None:
    table = read_runs(searched, "metrics.acc", "duration", "experiment").runs
    assert table["cost"].dropna().tolist() == [60.0] * 8
    assert set(table["group"]) == {"search"}


def test_neither_cost_nor_group(searched: str) -> None:
    table = read_runs(searched, "metrics.acc").runs
    assert table["cost"].isna().all()
    assert table["group"].isna().all()
    assert compare_groups(table, costs=False).groups["group"].tolist() == ["all runs"]


def test_all_pages_are_read(searched: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_runs(searched, "metrics.acc").runs
    monkeypatch.setattr("greenexp.tracking.runs.PAGE", 2)
    assert read_runs(searched, "metrics.acc").runs.equals(whole)


def test_filter_and_experiment_go_to_mlflow(searched: str) -> None:
    only = read_runs(searched, "metrics.acc", query="params.model = 'bert' and metrics.acc > 0.8")
    assert only.runs["score"].tolist() == [0.9, 0.85, 0.99]
    assert len(read_runs(searched, "metrics.loss", experiments=["other"]).runs) == 1
    assert len(read_runs(searched, "metrics.acc", experiments=["other", "search"]).runs) == 9
    with pytest.raises(TrackingError, match=r"'serch'.*'search'"):
        read_runs(searched, "metrics.acc", experiments=["serch"])
    with pytest.raises(TrackingError, match="MLflow at sqlite"):
        read_runs(searched, "metrics.acc", query="metrics.acc is good")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("metrics.ac",), "score metrics.ac: .*'metrics.acc'"),
        (("acc",), "'metrics.acc'"),
        (("nothing.like.it",), r"has it \(there are: metrics.acc, metrics.loss, metrics.seconds\)"),
        (("metrics.acc", "seconds"), "cost seconds: .*'metrics.seconds'"),
        (("metrics.acc", "durations"), "'duration'"),
        (("metrics.acc", None, "metrics.model"), "by metrics.model: .*'params.model'"),
        (("params.model",), "score params.model: .*'bert'"),
        (("metrics.acc", "params.model"), "cost params.model: "),
    ],
)
def test_a_wrong_column_names_the_nearest(searched: str, columns: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_runs(searched, *columns)


def test_nothing_answers(searched: str, uri: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"params.model = 'gpt'"):
        read_runs(searched, "metrics.acc", query="params.model = 'gpt'")
    with pytest.raises(InputError, match="no run"):
        read_runs(uri, "metrics.acc")
    with pytest.raises(TrackingError, match="no MLflow database"):
        read_runs(f"sqlite:///{tmp_path}/none.db", "metrics.acc")
    assert list(tmp_path.iterdir()) == []


def test_odd_numbers(uri: str, client: Any) -> None:
    experiment = client.create_experiment("odd")
    log_run(client, experiment, 0, metrics={"acc": math.inf}, params={"epochs": "3"})
    log_run(client, experiment, 1, metrics={"acc": -math.inf}, params={"epochs": " 4.5 "})
    table = read_runs(uri, "metrics.acc", "params.epochs").runs
    assert table["score"].tolist() == [math.inf, -math.inf]
    assert table["cost"].tolist() == [3.0, 4.5]
    log_run(client, experiment, 2, metrics={"acc": 1.0}, params={"epochs": "-1"})
    with pytest.raises(InputError, match="-1"):
        read_runs(uri, "metrics.acc", "params.epochs")


def test_parents_and_the_filter_that_keeps_them_alone(uri: str, client: Any) -> None:
    experiment = client.create_experiment("nested")
    parent = log_run(client, experiment, 0, metrics={"acc": 0.9})
    log_run(client, experiment, 1, metrics={"acc": 0.8}, tags={"mlflow.parentRunId": parent})
    log_run(client, experiment, 2, metrics={"acc": 0.9}, tags={"mlflow.parentRunId": parent})
    whole = compare_groups(read_runs(uri, "metrics.acc").runs, costs=False)
    assert whole.runs["outcome"].tolist() == ["summary", "counted", "counted"]
    alone = read_runs(uri, "metrics.acc", query="tags.`mlflow.parentRunId` IS NULL").runs
    assert compare_groups(alone, costs=False).runs["outcome"].tolist() == ["counted"]


def test_greenexps_own_trials_are_known(standard: tuple[Path, str]) -> None:
    table = read_runs(standard[1], "metrics.best_score", "metrics.total_wall_s").runs
    assert table["own"].all()


def test_only_what_is_needed_is_named(searched: str) -> None:
    assert foreign._internal("tags.mlflow.runName")
    with pytest.raises(InputError) as raised:
        read_runs(searched, "metrics.acc", None, "params.x")
    assert "tags.mlflow" not in str(raised.value)
