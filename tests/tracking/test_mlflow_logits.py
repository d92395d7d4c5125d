"""Logits travel to MLflow with the operating points replayed from them, and every table comes back the same."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow_contents import Killed, counting, dump, dying, failing
from small_sweeps import Sweep, record, trial_spec
from test_mlflow_tables import assert_same_tables
from told import tells

from greenexp.journal.tables import read_tables as journal_tables
from greenexp.records.at_rest import FOLDER
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.tables import REPLAYED
from greenexp.replay import ExitCosts
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.tracking import names
from greenexp.tracking.reader import read_tables
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.server import prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep

FIRST, SECOND = trial_spec(0, 0), trial_spec(0, 1)


def logits(folder: Path, seed: int) -> str:
    """Store drawn logits of three exits, of which the second was not trained."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 6, 60)
    costs = ExitCosts([2, 6], [3, 4, 5], [[3, 4, 5], [6, 8, 10]], [[3, 4, 5], [7, 9, 11]])
    stored = StoredLogits.of(rng.normal(size=(2, 60, 3)), rng.integers(0, 3, 60), lengths, [1, 3], costs)
    return write_logits(folder / FOLDER, stored)


def evaluated(sweep: Sweep, trial: str, epoch: int, name: str) -> None:
    found = HeldOutRecord(epoch, 60, 0.5, record(epoch).exits, logits=name)
    sweep.journal.append("held_out", trial=trial, record=found.to_json())


def write_sweep_with_logits(folder: Path) -> None:
    """Two trials: one finishes and is evaluated on test, one is interrupted after its first epoch."""
    with Sweep(folder) as sweep:
        sweep.session()
        sweep.plan(FIRST, SECOND)
        for trial in (FIRST, SECOND):
            sweep.start(trial.trial)
        sweep.report(FIRST.trial, 1, dev_logits=logits(folder, 1))
        sweep.report(SECOND.trial, 1, dev_logits=logits(folder, 2))
        sweep.report(FIRST.trial, 2, dev_logits=logits(folder, 3), last=True)
        sweep.journal.append(
            "ended", trial=SECOND.trial, status="interrupted", reason="the budget was used up", lost_wall_s=0.0
        )
        evaluated(sweep, FIRST.trial, 2, logits(folder, 4))
        sweep.journal.append("closed", status="limit")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_sweep_with_logits(tmp_path)
    return tmp_path


def level(client: Any, experiment: str, folder: Path) -> None:
    tracked = TrackedSweep()
    tracked.take(JournalTail(folder).new_events())
    RunWriter(client, experiment, tracked, folder=folder).write_changes(with_sweep=True)


def artifacts(client: Any, experiment: str) -> dict[str, list[str]]:
    """Run name's first word -> its files with operating points and with logits."""
    return {
        run.info.run_name.split()[0]: [
            file.path
            for place in (names.POINTS_FOLDER, names.LOGITS_FOLDER)
            for file in client.list_artifacts(run.info.run_id, place)
        ]
        for run in client.search_runs([experiment], f"tags.`{names.KIND}` = 'trial'")
    }


def files(uri: str, pattern: str) -> list[Path]:
    """The artifacts of a database in a file, where they lie."""
    return sorted((Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts").rglob(pattern))


def test_mlflow_gives_back_every_table(uri: str, folder: Path) -> None:
    sync(folder, uri, "points")
    tables = journal_tables(folder)
    thresholds = tables.operating_points.query("policy == 'max_probability'").groupby("trial").size()
    assert (thresholds > 20).tolist() == [True, True]
    assert all(len(tables.frames[name]) for name in REPLAYED), "the sweep is too poor to prove anything"
    assert tables.remarks.replay == ()
    assert_same_tables(folder, uri)


def test_tables_are_equal_at_every_stage(uri: str, client: Any, tmp_path: Path) -> None:
    tracked = TrackedSweep()
    writer = RunWriter(client, prepare(uri, "stages"), tracked, folder=tmp_path)
    tail = JournalTail(tmp_path)

    def check() -> None:
        tracked.take(tail.new_events())
        writer.write_changes(with_sweep=True)
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
        evaluated(sweep, FIRST.trial, 2, logits(tmp_path, 3))
        check()
        evaluated(sweep, FIRST.trial, 2, logits(tmp_path, 4))
        check()
        sweep.journal.append("closed", status="finished")
        sweep.journal.append("replay", policies=["entropy:normalised=true", "oracle"])
        check()
    assert set(journal_tables(tmp_path).operating_points["policy"]) == {
        "static", "max_probability", "patience", "entropy:normalised=true", "oracle"
    }  # fmt: skip
    assert len(artifacts(client, prepare(uri, "stages"))[FIRST.trial]) == 3 + 4, "a Parquet file per state, each .npz"


def test_a_second_sync_writes_nothing(uri: str, client: Any, folder: Path) -> None:
    experiment = prepare(uri, "twice")
    watched = counting(client)
    level(watched, experiment, folder)
    assert watched.calls.count("log_artifact") == 2 + 3, "operating points of two trials, dev and once test logits"
    assert watched.calls.count("log_batch") == 1 + 1 + 2 + 1  # sweep, configuration, trials, the sweep file's tag
    watched.calls.clear()
    level(watched, experiment, folder)
    assert set(watched.calls) == {"search_runs"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_then_synced(uri: str, client: Any, folder: Path, after: bool) -> None:
    experiment = prepare(uri, "undisturbed")
    watched = counting(client)
    level(watched, experiment, folder)
    undisturbed, logged = dump(client, experiment), artifacts(client, experiment)
    for number, call in enumerate(watched.calls):
        if call not in {"log_artifact", "log_batch"}:
            continue
        experiment = prepare(uri, f"killed-{number}")
        with pytest.raises(Killed):
            level(dying(client, number, after=after), experiment, folder)
        level(client, experiment, folder)
        assert dump(client, experiment) == undisturbed
        assert artifacts(client, experiment) == logged


def test_an_artifact_store_that_refuses_keeps_no_metric_back(uri: str, client: Any, folder: Path) -> None:
    experiment = prepare(uri, "refused")
    refusing = failing(client, lambda _, name: name == "log_artifact", after=False)
    level(refusing, experiment, folder)
    assert refusing.calls.count("log_artifact") == 1, "asked once, not per trial"
    tables = read_tables(uri)
    assert len(tables.epochs) == 3
    assert "2 of 2 trials" in tables.remarks.operating_points
    level(client, experiment, folder)
    assert_same_tables(folder, uri)


def test_a_follower_tries_again_what_the_store_refused(uri: str, client: Any, folder: Path) -> None:
    experiment, tracked = prepare(uri, "later"), TrackedSweep()
    tracked.take(JournalTail(folder).new_events())
    unlucky = failing(client, lambda count, name: name == "log_artifact" and count < 12, after=False)
    follower = RunWriter(unlucky, experiment, tracked, folder=folder)
    for _ in range(12):
        follower.write_changes(with_sweep=True)
    assert tracked.dirty == set()
    assert_same_tables(folder, uri)


def test_a_database_without_its_artifacts_says_so(uri: str, folder: Path) -> None:
    sync(folder, uri, "bare")
    shutil.rmtree(Path(uri.removeprefix("sqlite:///")).parent / "mlartifacts")
    tables = read_tables(uri)
    assert set(tables.operating_points["policy"]) == {"static"}
    assert tells(tables.remarks.operating_points, "2 of 2 trials … 2 dev logits")


def test_damaged_logits_leave_the_logged_points_and_are_named(uri: str, folder: Path) -> None:
    sync(folder, uri, "damaged")
    whole = journal_tables(folder)
    for file in files(uri, "*.npz"):
        file.write_bytes(b"PK no")
    tables = read_tables(uri)
    pd.testing.assert_frame_equal(tables.operating_points, whole.operating_points)
    assert all(tables.frames[name].empty for name in REPLAYED)
    assert any("are damaged" in remark for remark in tables.remarks.replay)


def test_damaged_test_logits_cost_the_rows_on_test(uri: str, folder: Path) -> None:
    sync(folder, uri, "test")
    name = logits(folder, 4)
    for file in files(uri, f"{name}.npz"):
        file.write_bytes(b"PK no")
    tables = read_tables(uri)
    assert tables.thresholds_on_test.empty
    assert set(tables.calibration["split"]) == {"dev"}
    assert tables.remarks.replay == (f"1 of 2 trials: test logits {name[:16]} are damaged, or of another version",)


def test_damaged_points_are_named_where_nothing_else_is_left(uri: str, folder: Path) -> None:
    sync(folder, uri, "both")
    for file in files(uri, "*.npz"):
        file.unlink()
    for file in files(uri, "*.parquet"):
        file.write_bytes(b"PAR1 no")
    tables = read_tables(uri)
    assert set(tables.operating_points["policy"]) == {"static"}
    assert "damaged" in tables.remarks.operating_points


def as_recorded_before(uri: str, client: Any, experiment: str) -> None:
    """What the first version left: operating points under the name of the dev logits alone, and no logits."""
    for run in client.search_runs([experiment], f"tags.`{names.KIND}` = 'trial'"):
        path = run.data.tags[names.POINTS]
        client.delete_tag(run.info.run_id, names.LOGITS)
        client.set_tag(run.info.run_id, names.POINTS, path.rpartition("-")[0] + ".parquet")
    for file in files(uri, "*.parquet"):
        points = pd.read_parquet(file)
        points[points["policy"] == "max_probability"].to_parquet(file.with_name(f"{file.stem[:16]}.parquet"))
        file.unlink()
    for file in files(uri, "*.npz"):
        file.unlink()


def test_runs_recorded_before_are_read_and_brought_level(uri: str, client: Any, folder: Path) -> None:
    experiment = prepare(uri, "old")
    sync(folder, uri, "old")
    as_recorded_before(uri, client, experiment)
    points = read_tables(uri).operating_points
    whole = journal_tables(folder).operating_points
    expected = whole[whole["policy"].isin(["static", "max_probability"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(points, expected)
    assert any("logged" in remark for remark in read_tables(uri).remarks.replay)
    sync(folder, uri, "old")
    assert_same_tables(folder, uri)


def test_logits_that_are_gone_leave_static_points_in_both(uri: str, folder: Path) -> None:
    shutil.rmtree(folder / FOLDER)
    sync(folder, uri, "gone")
    assert_same_tables(folder, uri)
    assert "static points alone" in journal_tables(folder).remarks.operating_points


def test_damaged_test_logits_are_not_logged_and_the_rest_is_once(uri: str, client: Any, folder: Path) -> None:
    name = logits(folder, 4)
    (folder / FOLDER / f"{name}.npz").write_bytes(b"no")
    experiment = prepare(uri, "partly")
    watched = counting(client)
    for _ in range(2):
        level(watched, experiment, folder)
        for name, frame in journal_tables(folder).frames.items():
            pd.testing.assert_frame_equal(read_tables(uri).frames[name], frame, check_exact=True, obj=name)
    assert watched.calls.count("log_artifact") == 2 + 2


def test_the_artifacts_are_plain_files(uri: str, client: Any, folder: Path) -> None:
    sync(folder, uri, "plain")
    points, stored = files(uri, "*.parquet"), files(uri, "*.npz")
    assert (len(points), len(stored)) == (2, 3), "both trials' points; the logits of two dev sets and a test set"
    for file in points:
        assert {"policy", "threshold", "score", "inference_flops"} <= set(pd.read_parquet(file).columns)
    for file in stored:
        assert np.load(file)["logits"].shape == (2, 60, 3)
