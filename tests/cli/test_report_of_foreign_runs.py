"""`greenexp report URI --score ...`, and `curve`, on runs that MLflow's own client logged."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow_runs import log_run, log_search

from greenexp.analysis.curves.over_cost import curve_over_cost
from greenexp.tracking.server import connect, default_uri

with warnings.catch_warnings():  # MLflow's own imports warn
    warnings.simplefilter("ignore")
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    address = default_uri(tmp_path_factory.mktemp("foreign"))
    client = connect(address)
    log_search(client, client.create_experiment("search"))
    log_run(client, client.create_experiment("other"), 20, metrics={"acc": 0.5}, params={"model": "gpt"})
    yield address
    SqlAlchemyStore._engine_map.pop(address).dispose()


def test_the_command_of_the_readme(command: Command, uri: str, tmp_path: Path) -> None:
    asked = ["--score", "metrics.acc", "--cost", "metrics.seconds", "--by", "params.model"]
    code, out, err = command("report", uri, *asked, "--experiment", "search", "--format", "html,csv", "--out", "there")
    assert (code, err) == (0, "")
    assert all(Path(line).is_relative_to("there") for line in out.splitlines())
    page = (tmp_path / "there" / "report.html").read_text(encoding="utf-8")
    assert "6 runs with a final metrics.acc in 2 groups by params.model" in page
    groups = pd.read_csv(tmp_path / "there" / "report-tables" / "groups.csv").set_index("group")
    assert groups["counted"].to_dict() == {"albert": 3, "bert": 3}
    assert groups["failed"].to_dict() == {"albert": 0, "bert": 1}
    curve = pd.read_csv(tmp_path / "there" / "report-tables" / "expected_best.csv")
    assert curve.groupby("group")["runs"].max().to_dict() == {"albert": 3, "bert": 3}
    assert curve.groupby("group")["expected_best"].max().to_dict() == {"albert": 0.95, "bert": 0.9}


def test_filter_experiment_and_direction(command: Command, uri: str, tmp_path: Path) -> None:
    code, out, _ = command(
        "report", f"{uri}#search", "--score", "metrics.acc", "--filter", "params.model = 'albert'", "--minimize"
    )
    assert (code, out) == (0, f"{tmp_path / 'report.html'}\n")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Best run: run-6, 0.6000." in page
    code, _, _ = command("report", uri, "--score", "metrics.acc", "--by", "experiment")
    assert code == 0
    assert "in 2 groups by experiment" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_without_score_an_mlflow_address_is_still_a_sweep(command: Command, uri: str) -> None:
    code, _, err = command("report", uri)
    assert code == 2
    assert "no sweep of greenexp is recorded" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["URI", "--cost", "metrics.seconds", "--minimize"], "--cost, --minimize: only together with --score"),
        (["--score", "metrics.acc"], "the runs of one MLflow address"),
        (["URI", "URI", "--score", "metrics.acc"], "the runs of one MLflow address"),
        (["URI", "--score", "metrics.acc", "--sweep", "x"], "no --sweep"),
        (["URI", "--score", "metrics.ac"], "did you mean 'metrics.acc'"),
        (["URI", "--score", "metrics.acc", "--experiment", "serch"], "did you mean 'search'"),
        (["folder", "--score", "metrics.acc"], "'folder' is a folder; write sqlite:///folder/mlflow.db"),
        (["mlruns", "--score", "metrics.acc"], "mlflow migrate-filestore --source mlruns"),
        (["nowhere", "--score", "metrics.acc"], "neither a folder nor an MLflow address"),
    ],
)
def test_one_mistake_one_message(
    command: Command, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mlflow.db").touch()
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").touch()
    code, out, err = command("report", *[uri if argument == "URI" else argument for argument in arguments])
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err
    assert not (tmp_path / "report.html").exists()


def test_curve_of_runs_that_others_logged(command: Command, uri: str) -> None:
    asked = ["curve", f"{uri}#search", "--score", "metrics.acc", "--by", "params.model", "--json"]
    code, out, err = command(*asked)
    assert code == 0
    last = {row["by"]: (row["n"], row["estimate"]) for row in json.loads(out)["curve"]}
    assert last == {"bert": (3, 0.9), "albert": (3, 0.95)}
    assert "1 of 9 runs have not ended and are left out" in err
    assert "bert: 1 of 4 trials have no score" in err
    assert "MLflow does not record whether they are" in err
    code, out, _ = command(*asked, "--cost", "metrics.seconds", "--budgets", "5,15")
    assert code == 0
    truth = curve_over_cost([0.8, np.nan, 0.9, 0.85], [10, 3, 20, 15], [5, 15]).table["nothing_finished"]
    found = [row["nothing_finished"] for row in json.loads(out)["curve"] if row["by"] == "bert"]
    assert found == pytest.approx(list(truth), abs=1e-11)
    code, _, err = command(*asked, "--filter", "params.model = 'gpt'")
    assert (code, "there is no run" in err) == (2, True)
    code, _, err = command("curve", uri, "--score", "metrics.ac")
    assert (code, "did you mean 'metrics.acc'" in err) == (2, True)
