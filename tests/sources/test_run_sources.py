"""MLflow runs as scores: all columns come with one query."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow_runs import log_run, log_search

from greenexp.errors import InputError
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.scores import read_scores
from greenexp.tracking import foreign
from greenexp.tracking.server import connect, default_uri

with warnings.catch_warnings():  # MLflow's own imports warn
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    address = default_uri(tmp_path_factory.mktemp("foreign"))
    client = connect(address)
    experiment = client.create_experiment("search")
    log_search(client, experiment)
    log_run(client, experiment, 20, metrics={"acc": 0.7, "seconds": 4.0}, params={"model": "bert", "seed": "3"})
    yield address
    SqlAlchemyStore._engine_map.pop(address).dispose()


@pytest.mark.parametrize("view", list(View))
def test_one_query_reads_every_column(uri: str, view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    def counted(*arguments: object) -> object:
        searches.append(arguments)
        return search(*arguments)

    search = foreign.search
    monkeypatch.setattr(foreign, "search", counted)
    request = ScoreRequest(
        score="metrics.acc",
        cost="metrics.seconds",
        by="params.model",
        test="metrics.acc",
        configuration="tags.mlflow.runName" if view is View.TRIALS else None,
        query="attributes.status = 'FINISHED'",
    )
    scores = read_scores(uri, request, view)
    assert len(searches) == 1
    kept = scores.frame.dropna(subset=["score"])
    assert kept["test"].tolist() == kept["score"].tolist()
    assert set(scores.groups) == {"bert", "albert"}


def test_outcomes(uri: str) -> None:
    scores = read_scores(uri, ScoreRequest(score="metrics.acc", by="params.model"))
    assert {name: (len(group.frame), group.failed) for name, group in scores.groups.items()} == {
        "bert": (5, 1),
        "albert": (4, 1),
    }
    assert any("1 of 10 runs" in note for note in scores.notes)


def test_a_run_without_a_word_it_needs_is_named(uri: str) -> None:
    request = ScoreRequest(score="metrics.acc", by="params.model", seeds=("params.seed",))
    with pytest.raises(InputError, match=r"seed params\.seed: 8 of 9 runs.*run-0"):
        read_scores(uri, request, View.TRIALS)


def test_folders_and_options_of_tables_are_refused(uri: str, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with pytest.raises(InputError, match="write sqlite:///"):
        read_scores(tmp_path, ScoreRequest(score="metrics.acc"))
    with pytest.raises(InputError, match="where"):
        read_scores(uri, ScoreRequest(score="metrics.acc", where={"a": "b"}))
