"""Operating points over thresholds travel to MLflow as one artifact per trial, and come back the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_contents import Killed, counting, dump, dying, failing
from small_sweeps import Sweep, trial_spec
from test_mlflow_tables import assert_same_tables

from greenexp.errors import TrackingError
from greenexp.journal.tables import read_tables as journal_tables
from greenexp.records.logits import StoredLogits, write_logits
from greenexp.records.replay import ExitCosts
from greenexp.records.staircase import FOLDER
from greenexp.tracking import names
from greenexp.tracking.level import Level
from greenexp.tracking.picture import Picture
from greenexp.tracking.reader import read_tables
from greenexp.tracking.server import prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.tail import JournalTail

FIRST, SECOND = trial_spec(0, 0), trial_spec(0, 1)


def logits(folder: Path, seed: int) -> str:
    """Store drawn dev logits of three exits, of which the second was not trained."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 6, 60)
    costs = ExitCosts([2, 6], [3, 4, 5], [[3, 4, 5], [6, 8, 10]], [[3, 4, 5], [7, 9, 11]])
    stored = StoredLogits.of(rng.normal(size=(2, 60, 3)), rng.integers(0, 3, 60), lengths, [1, 3], costs)
    return write_logits(folder / FOLDER, stored)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two trials: one finishes, one is interrupted after its first epoch."""
    with Sweep(tmp_path) as sweep:
        sweep.session()
        sweep.plan(FIRST, SECOND)
        for trial in (FIRST, SECOND):
            sweep.start(trial.trial)
        sweep.report(FIRST.trial, 1, dev_logits=logits(tmp_path, 1))
        sweep.report(SECOND.trial, 1, dev_logits=logits(tmp_path, 2))
        sweep.report(FIRST.trial, 2, dev_logits=logits(tmp_path, 3), last=True)
        sweep.journal.append(
            "ended", trial=SECOND.trial, status="interrupted", reason="the budget was used up", lost_wall_s=0.0
        )
        sweep.journal.append("closed", status="limit")
    return tmp_path


def level(client: Any, experiment: str, folder: Path) -> None:
    picture = Picture()
    picture.take(JournalTail(folder).new_events())
    Level(client, experiment, picture, folder=folder).bring(whole=True)


def artifacts(client: Any, experiment: str) -> dict[str, list[str]]:
    """Run name's first word -> its files with operating points."""
    return {
        run.info.run_name.split()[0]: [file.path for file in client.list_artifacts(run.info.run_id, "operating_points")]
        for run in client.search_runs([experiment], f"tags.`{names.KIND}` = 'trial'")
    }


def test_every_trial_at_rest_has_its_staircase_and_mlflow_gives_it_back(uri: str, folder: Path) -> None:
    sync(folder, uri, "points")
    points = journal_tables(folder).operating_points
    thresholds = points[points["policy"] == "max_probability"].groupby("trial").size()
    assert (thresholds > 20).tolist() == [True, True]
    assert_same_tables(folder, uri)


def test_tables_are_equal_at_every_stage(uri: str, client: Any, tmp_path: Path) -> None:
    picture = Picture()
    writer = Level(client, prepare(uri, "stages"), picture, folder=tmp_path)
    tail = JournalTail(tmp_path)

    def check() -> None:
        picture.take(tail.new_events())
        writer.bring(whole=True)
        assert_same_tables(tmp_path, uri)

    with Sweep(tmp_path) as sweep:
        sweep.session()
        sweep.plan(FIRST)
        sweep.start(FIRST.trial)
        sweep.report(FIRST.trial, 1, dev_logits=logits(tmp_path, 1))
        check()
        sweep.journal.append("ended", trial=FIRST.trial, status="interrupted", reason="x", lost_wall_s=0.0)
        check()
        sweep.session(2)
        sweep.start(FIRST.trial, attempt=2)
        check()
        sweep.report(FIRST.trial, 2, attempt=2, dev_logits=logits(tmp_path, 2), last=True)
        check()
    assert len(artifacts(client, prepare(uri, "stages"))[FIRST.trial]) == 2


def test_a_second_sync_writes_nothing(uri: str, client: Any, folder: Path) -> None:
    experiment = prepare(uri, "twice")
    watched = counting(client)
    level(watched, experiment, folder)
    assert watched.calls.count("log_artifact") == 2
    assert watched.calls.count("log_batch") == 1 + 1 + 2 + 1  # sweep, configuration, trials, the sweep file's tag
    watched.calls.clear()
    level(watched, experiment, folder)
    assert set(watched.calls) == {"search_runs"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_then_synced(uri: str, client: Any, folder: Path, after: bool) -> None:
    experiment = prepare(uri, "undisturbed")
    watched = counting(client)
    level(watched, experiment, folder)
    undisturbed, files = dump(client, experiment), artifacts(client, experiment)
    for number, call in enumerate(watched.calls):
        if call not in {"log_artifact", "log_batch"}:
            continue
        experiment = prepare(uri, f"killed-{number}")
        with pytest.raises(Killed):
            level(dying(client, number, after=after), experiment, folder)
        level(client, experiment, folder)
        assert dump(client, experiment) == undisturbed
        assert artifacts(client, experiment) == files


def test_an_artifact_store_that_refuses_keeps_no_metric_back(uri: str, client: Any, folder: Path) -> None:
    experiment = prepare(uri, "refused")
    refusing = failing(client, lambda _, name: name == "log_artifact", after=False)
    level(refusing, experiment, folder)
    assert refusing.calls.count("log_artifact") == 1, "asked once, not per trial"
    tables = read_tables(uri)
    assert len(tables.epochs) == 3
    assert "2 of 2 trials have static points alone" in tables.facts["operating_points"]
    level(client, experiment, folder)
    assert_same_tables(folder, uri)


def test_a_follower_tries_again_what_the_store_refused(uri: str, client: Any, folder: Path) -> None:
    experiment, picture = prepare(uri, "later"), Picture()
    picture.take(JournalTail(folder).new_events())
    unlucky = failing(client, lambda count, name: name == "log_artifact" and count < 12, after=False)
    follower = Level(unlucky, experiment, picture, folder=folder)
    for _ in range(12):
        follower.bring(whole=True)
    assert picture.dirty == set()
    assert_same_tables(folder, uri)


def test_a_database_without_its_artifacts_says_so(uri: str, folder: Path) -> None:
    sync(folder, uri, "bare")
    shutil.rmtree(Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts")
    tables = read_tables(uri)
    assert set(tables.operating_points["policy"]) == {"static"}
    assert "without dev logits and their costs at hand" in tables.facts["operating_points"]


def test_a_damaged_artifact_is_named(uri: str, folder: Path) -> None:
    sync(folder, uri, "damaged")
    for file in (Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts").rglob("*.parquet"):
        file.write_bytes(b"PAR1 no")
    with pytest.raises(TrackingError, match=r"artifact operating_points/\w+\.parquet in MLflow is damaged"):
        read_tables(uri)


def test_logits_that_are_gone_leave_static_points_in_both(uri: str, folder: Path) -> None:
    shutil.rmtree(folder / FOLDER)
    sync(folder, uri, "gone")
    assert_same_tables(folder, uri)
    assert "static points alone" in journal_tables(folder).facts["operating_points"]


def test_the_artifact_is_plain_parquet(uri: str, client: Any, folder: Path) -> None:
    sync(folder, uri, "plain")
    for file in (Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts").rglob("*.parquet"):
        assert {"policy", "threshold", "score", "inference_flops"} <= set(pd.read_parquet(file).columns)
