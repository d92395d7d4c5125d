"""The snapshot of all runs: what it holds, what a refresh reads, and what damages it does not mind."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from small_sweeps import Sweep, trial_spec, write_journal

from greenexp.errors import TrackingError
from greenexp.sources.snapshots import Snapshot, snapshot
from greenexp.tracking import names, snapshot_folder, snapshot_sqlite
from greenexp.tracking import snapshot as reading
from greenexp.tracking.reader import read_tables
from greenexp.tracking.runs import search
from greenexp.tracking.server import connect, sqlite_file
from greenexp.tracking.snapshot_pages import ClientRuns
from greenexp.tracking.snapshot_rows import HIDDEN
from greenexp.tracking.snapshot_sqlite import SqliteRuns
from greenexp.tracking.sync import sync


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def by_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "sql_runs", lambda _: None)


def log_foreign(client: Any, experiment: str, **metrics: float) -> str:
    run = client.create_run(experiment, tags={"team": 'a "b",\nc\r\nd é中'}, run_name="of others")
    client.log_param(run.info.run_id, "text", "")
    for name, value in metrics.items():
        client.log_metric(run.info.run_id, name, value)
    client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def all_values(taken: Snapshot) -> dict[tuple[str, str, str], str]:
    values = taken.values(taken.runs["run_id"])
    assert not values.duplicated(["run_id", "kind", "key"]).any()
    return {(run, kind, key): value for run, kind, key, value in values[["run_id", "kind", "key", "value"]].to_numpy()}


def expected_values(uri: str) -> dict[tuple[str, str, str], str]:
    client = connect(uri)
    found: dict[tuple[str, str, str], str] = {}
    for run in search(client, [one.experiment_id for one in client.search_experiments()], ""):
        number = run.info.run_id
        found |= {(number, "param", key): text for key, text in run.data.params.items()}
        found |= {(number, "metric", key): repr(float(value)) for key, value in run.data.metrics.items()}
        tags = run.data.tags.items()
        found |= {(number, "tag", key): text for key, text in tags if not key.startswith(HIDDEN)}
    return found


def test_it_holds_what_the_client_tells(standard: tuple[Path, str], cache: Path) -> None:
    uri = standard[1]
    taken = snapshot(uri, folder=cache)
    assert taken.changed == len(taken.runs) > 5
    assert all_values(taken) == expected_values(uri)


def test_sweeps_and_roles(standard: tuple[Path, str], cache: Path) -> None:
    uri = standard[1]
    taken, tables = snapshot(uri, folder=cache), read_tables(uri)
    started = tables.trials[tables.trials["status"] != "planned"]
    (row,) = taken.sweeps.to_dict("records")
    assert (row["name"], row["status"], row["experiment"], row["metric"]) == ("smoke", "limit", "standard", "accuracy")
    assert row["trials"] == len(started)
    for word in ("finished", "stopped", "failed"):
        assert row[word] == (started["status"] == word).sum() > 0
    assert row["best"] == tables.trials["score"].max()
    assert row["end_s"] > row["start_s"]
    roles = taken.runs["role"].value_counts().to_dict()
    assert roles == {"sweep": 1, "configuration": started["configuration"].nunique(), "trial": len(started)}
    assert set(taken.runs["sweep"]) == {row["sweep"]}
    assert set(taken.runs["parent"]) >= {"", row["run_id"]}


def test_the_client_reads_the_same(standard: tuple[Path, str], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = standard[1]
    by_sql = snapshot(uri, folder=cache / "sql")
    by_client(monkeypatch)
    paged = snapshot(uri, folder=cache / "pages")
    order = by_sql.runs.sort_values("run_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(order, paged.runs.sort_values("run_id").reset_index(drop=True))
    pd.testing.assert_frame_equal(by_sql.sweeps, paged.sweeps)
    assert all_values(paged) == all_values(by_sql)


def test_a_refresh_reads_what_has_changed(uri: str, cache: Path) -> None:
    client = connect(uri)
    experiment = client.create_experiment("others")
    one, two = (log_foreign(client, experiment, acc=0.5) for _ in range(2))
    assert snapshot(uri, folder=cache).changed == 2
    assert snapshot(uri, folder=cache).changed == 0
    three = log_foreign(client, experiment, acc=math.inf, loss=math.nan)
    taken = snapshot(uri, folder=cache)
    assert (taken.changed, len(taken.runs)) == (1, 3)
    client.log_metric(one, "acc", 0.75)  # of a run that has ended
    client.set_tag(two, "mine", "yes")
    client.delete_run(three)
    taken = snapshot(uri, folder=cache)
    assert taken.changed == 3
    found = all_values(taken)
    assert (found[one, "metric", "acc"], found[two, "tag", "mine"]) == ("0.75", "yes")
    assert (found[three, "metric", "acc"], found[three, "metric", "loss"]) == ("inf", "nan")
    assert found[one, "tag", "team"] == 'a "b",\nc\r\nd é中'
    assert found[one, "param", "text"] == ""
    assert taken.runs.set_index("run_id")["lifecycle"].to_dict() == {one: "active", two: "active", three: "deleted"}
    numbers = taken.values([one]).set_index("key")["number"]
    assert numbers["acc"] == 0.75
    assert math.isnan(numbers["text"])
    assert taken.sweeps.empty
    assert set(taken.runs["role"]) == {"foreign"}


def test_a_run_that_goes_on_is_read_again(uri: str, cache: Path, sweep_folder: Path) -> None:
    sync(sweep_folder, uri, "record")
    client = connect(uri)
    run = client.create_run(client.get_experiment_by_name("record").experiment_id).info.run_id
    snapshot(uri, folder=cache)
    client.set_tag(run, "mine", "one")
    client.set_tag(run, "mine", "two")
    taken = snapshot(uri, folder=cache)
    assert taken.changed == 1
    assert all_values(taken)[run, "tag", "mine"] == "two"
    assert len(taken.sweeps) == 1


@pytest.mark.parametrize("reader", ["sql", "client"])
def test_a_sweep_that_goes_on(
    reader: str, uri: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reader == "client":
        by_client(monkeypatch)
    with Sweep(tmp_path / "s") as sweep:
        trial = trial_spec(0, 0)
        sweep.session()
        sweep.plan(trial)
        sweep.start(trial.trial)
        sweep.report(trial.trial, 1)
        sync(tmp_path / "s", uri, "record")
        first = snapshot(uri, folder=cache).sweeps.iloc[0]
        sweep.report(trial.trial, 2, last=True)
        sweep.journal.append("closed", status="finished")
    sync(tmp_path / "s", uri, "record")
    taken = snapshot(uri, folder=cache)
    last = taken.sweeps.iloc[0]
    assert (first["status"], first["running"], first["finished"]) == ("running", 1, 0)
    assert (last["status"], last["running"], last["finished"]) == ("finished", 0, 1)
    assert last["best"] > first["best"]
    assert all_values(taken) == expected_values(uri)


def test_the_client_asks_for_little_where_little_has_changed(
    standard: tuple[Path, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_client(monkeypatch)
    uri = standard[1]
    whole = snapshot(uri, folder=cache)
    again = snapshot(uri, folder=cache)
    assert again.changed == 0
    assert all_values(again) == all_values(whole)
    monkeypatch.setattr("greenexp.tracking.snapshot_pages.WHOLE_S", 0.0)
    assert snapshot(uri, folder=cache).changed == len(whole.runs)


def test_a_server_that_is_too_slow_for_large_pages_is_asked_for_small_ones(
    standard: tuple[Path, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    by_client(monkeypatch)
    expected = expected_values(standard[1])
    answer, asked = MlflowClient.search_runs, []

    def slow(self: Any, *given: Any, max_results: int, **more: Any) -> Any:
        asked.append(max_results)
        if max_results > 62:
            raise MlflowException("Read timed out. (read timeout=10)")
        return answer(self, *given, max_results=2, **more)

    monkeypatch.setattr(MlflowClient, "search_runs", slow)
    assert all_values(snapshot(standard[1], folder=cache)) == expected
    assert asked[0] > 62 >= asked[1]


def spoilt(file: Path) -> None:
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[4 : middle + 4] = bytes(middle)
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "snapshot.json").write_text("{"),
        lambda folder: (folder / "snapshot.json").write_text('{"format": 99}'),
        lambda folder: (folder / "snapshot.json").write_text('{"format": 1, "runs": 5, "segments": [], "marks": null}'),
        lambda folder: next(folder.glob("runs-*")).write_bytes(b"PAR1"),
        lambda folder: spoilt(next(folder.glob("runs-*"))),
        lambda folder: next(folder.glob("values-*")).write_bytes(b"no"),
        lambda folder: next(folder.glob("values-*")).unlink(),
    ],
)
def test_damaged_files_are_made_anew(damage: Callable[[Path], object], standard: tuple[Path, str], cache: Path) -> None:
    uri = standard[1]
    whole = snapshot(uri, folder=cache)
    damage(next(cache.iterdir()))
    again = snapshot(uri, folder=cache)
    assert again.changed == len(whole.runs)
    pd.testing.assert_frame_equal(again.runs, whole.runs)
    assert all_values(again) == expected_values(uri)
    assert snapshot(uri, folder=cache).changed == 0


def test_values_damaged_within_are_told_and_made_anew(standard: tuple[Path, str], cache: Path) -> None:
    uri = standard[1]
    snapshot(uri, folder=cache)
    spoilt(next(next(cache.iterdir()).glob("values-*")))
    taken = snapshot(uri, folder=cache)
    with pytest.raises(TrackingError, match="damaged"):
        taken.values(taken.runs["run_id"])
    assert all_values(snapshot(uri, folder=cache)) == expected_values(uri)


def test_many_refreshes_stay_few_files(uri: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_folder, "MOST_SEGMENTS", 3)
    client = connect(uri)
    experiment = client.create_experiment("others")
    runs = [log_foreign(client, experiment, acc=0.5)]
    early = snapshot(uri, folder=cache)
    for number in range(8):
        runs.append(log_foreign(client, experiment, acc=float(number)))
        client.log_metric(runs[number // 2], "acc", 10.0 + number)
        taken = snapshot(uri, folder=cache)
        assert all_values(taken) == expected_values(uri)
        assert len(list(next(cache.iterdir()).glob("*.parquet"))) <= 5
    assert all_values(early)[runs[0], "metric", "acc"] == "0.5"  # what another process still looks at


def test_a_database_put_back_from_an_earlier_copy(uri: str, cache: Path, tmp_path: Path) -> None:
    client = connect(uri)
    experiment = client.create_experiment("others")
    log_foreign(client, experiment, acc=0.5)
    file = sqlite_file(uri)
    assert file is not None
    shutil.copy(file, tmp_path / "copy.db")
    log_foreign(client, experiment, acc=0.25)
    assert len(snapshot(uri, folder=cache).runs) == 2
    shutil.copy(tmp_path / "copy.db", file)
    taken = snapshot(uri, folder=cache)
    assert len(taken.runs) == 1
    assert all_values(taken) == expected_values(uri)


def test_a_folder_that_cannot_be_written(standard: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    taken = snapshot(standard[1], folder=tmp_path / "file")
    assert all_values(taken) == expected_values(standard[1])


@pytest.mark.parametrize("what", ["tables", "error"])
def test_other_tables_are_left_to_the_client(
    what: str, standard: tuple[Path, str], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "tables":
        monkeypatch.setitem(snapshot_sqlite.NEEDED, "tags", {"key", "not_there"})
    else:
        monkeypatch.setattr(snapshot_sqlite, "_RUN_COLUMNS", {"no_such_column": pa.string()})
    asked: list[ClientRuns] = []
    monkeypatch.setattr(ClientRuns, "__post_init__", asked.append, raising=False)
    monkeypatch.setattr(reading, "ClientRuns", lambda uri: asked.append(ClientRuns(uri)) or asked[-1])
    taken = snapshot(standard[1], folder=cache)
    assert len(asked) == 1
    assert all_values(taken) == expected_values(standard[1])


def test_two_readers_at_once(standard: tuple[Path, str], cache: Path) -> None:
    found: list[Snapshot] = []
    threads = [threading.Thread(target=lambda: found.append(snapshot(standard[1], folder=cache))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken.changed > 0 for taken in found) == [False, False, False, True]
    assert all(all_values(taken) == all_values(found[0]) for taken in found)


def test_the_file_is_only_read(standard: tuple[Path, str], cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    source = sqlite_file(standard[1])
    assert source is not None
    shutil.copy(source, file)
    file.chmod(0o400)
    tmp_path.joinpath("mlflow.db").touch(exist_ok=True)
    before = file.read_bytes()
    source_of_runs = SqliteRuns(file)
    runs, _ = source_of_runs.runs(None)
    assert len(runs) > 5
    assert file.read_bytes() == before


def test_a_moved_sweep_is_in_the_row_of_its_new_place(uri: str, cache: Path, tmp_path: Path) -> None:
    write_journal(tmp_path / "s")
    sync(tmp_path / "s", uri, "old")
    client = connect(uri)
    old = client.get_experiment_by_name("old").experiment_id
    for run in search(client, [old], ""):
        client.set_tag(run.info.run_id, names.CONTINUED, "elsewhere")
    sync(tmp_path / "s", uri, "new")
    (row,) = snapshot(uri, folder=cache).sweeps.to_dict("records")
    assert row["experiment"] == "new"


def test_an_address_without_a_database(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(TrackingError, match="no MLflow database"):
        snapshot(f"sqlite:///{tmp_path / 'none.db'}", folder=cache)
