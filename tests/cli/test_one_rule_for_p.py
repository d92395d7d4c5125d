"""`compare` and `report --score` give the same p-values for the same runs, from MLflow as from a CSV."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow_runs import log_run

from greenexp.cli.main import main
from greenexp.tracking.server import connect, default_uri

with warnings.catch_warnings():  # MLflow's own imports warn
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

MODELS = ("wild", "steady", "albert")


@pytest.fixture(scope="module")
def searches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, pd.DataFrame]]:
    """Runs of three models, begun in turn, at an MLflow address and as a table."""
    address = default_uri(tmp_path_factory.mktemp("searches"))
    client = connect(address)
    experiment, rng = client.create_experiment("search"), np.random.default_rng(0)
    rows = []
    for number in range(33):
        model = MODELS[number % 3]
        score = float(0.6 + 0.1 * (model == "steady") + 0.05 * rng.normal())
        log_run(client, experiment, number, metrics={"acc": score}, params={"model": model})
        rows.append((model, score))
    yield address, pd.DataFrame(rows, columns=["model", "acc"])
    SqlAlchemyStore._engine_map.pop(address).dispose()


def test_the_same_runs_have_the_same_p_values(
    searches: tuple[str, pd.DataFrame],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    address, table = searches
    monkeypatch.chdir(tmp_path)
    table.to_csv("runs.csv", index=False)

    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit) as leaving:
            main(list(arguments))
        assert not leaving.value.code
        return capsys.readouterr().out

    of_runs = ["--score", "metrics.acc", "--by", "params.model"]
    compared = pd.DataFrame(json.loads(command("compare", address, *of_runs, "--json"))["pairs"])
    of_table = pd.DataFrame(
        json.loads(command("compare", "runs.csv", "--score", "acc", "--by", "model", "--json"))["pairs"]
    )
    command("report", address, *of_runs, "--format", "csv")
    reported = pd.read_csv("report-tables/pairs.csv")
    assert compared["budget"].tolist() == [1, 2, 5] * 3
    columns = ["a", "b", "budget", "probability_better", "p", "p_holm", "difference"]
    for other in (of_table, reported):
        pd.testing.assert_frame_equal(compared[columns], other[columns], check_dtype=False, rtol=1e-12)
