"""A resumed sweep that is to be recorded elsewhere: the new record is whole, and the old one ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow_contents import dump
from small_sweeps import SPEC, Sweep, trial_spec, write_journal
from test_cut_journals import anew
from test_mlflow_tables import assert_same_tables
from told import tells

from greenexp.journal.events import FORMAT
from greenexp.tracking import names
from greenexp.tracking.foreign import read_runs
from greenexp.tracking.reader import read_tables
from greenexp.tracking.server import connect, prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.writer import Tracker

FIRST, SECOND = trial_spec(0, 0), trial_spec(0, 1)


def begin(folder: Path, uri: str, experiment: str = "first") -> None:
    """A sweep with two trials, one of which has ended; its driver dies."""
    with Sweep(folder, tracking={"enabled": True, "uri": uri, "experiment": experiment}) as sweep:
        sweep.session()
        sweep.plan(FIRST, SECOND)
        for trial in (FIRST, SECOND):
            sweep.start(trial.trial)
            sweep.report(trial.trial, 1, last=trial is FIRST)
    sync(folder)


def resume(folder: Path, **tracking: Any) -> None:
    with Sweep(folder) as sweep:
        spec = {**SPEC, "tracking": {"enabled": True, "uri": None, "experiment": None, **tracking}}
        sweep.journal.append("sweep", format=FORMAT, name="smoke", fingerprint="f" * 64, spec=spec)
        sweep.session(2)
        sweep.start(SECOND.trial, attempt=2)
        sweep.report(SECOND.trial, 1, attempt=2)


def end(folder: Path) -> None:
    with Sweep(folder) as sweep:
        sweep.report(SECOND.trial, 2, attempt=2, last=True)
        sweep.journal.append("closed", status="finished")


def statuses(uri: str, experiment: str) -> set[str]:
    return {run["status"] for run in dump(connect(uri), prepare(uri, experiment)).values()}


def test_another_experiment_gets_the_whole_record_and_the_old_one_ends(uri: str, client: Any, tmp_path: Path) -> None:
    begin(tmp_path, uri)
    assert "RUNNING" in statuses(uri, "first")
    resume(tmp_path, uri=uri, experiment="second")
    tracker = Tracker(tmp_path, uri, "second")
    tracker.start()
    assert tracker.stop(60)
    old = dump(client, prepare(uri, "first"))
    assert {run["status"] for run in old.values()} == {"FINISHED", "KILLED"}
    assert all(tells(run["tags"][names.CONTINUED], f"second … {uri}") for run in old.values())
    assert old["sweep", ""]["tags"][names.STATUS] == names.CONTINUED_STATUS
    end(tmp_path)
    result = sync(tmp_path)
    assert (result.experiment, result.remarks) == ("second", ())
    assert dump(client, prepare(uri, "first")) == old, "nothing more is written there"
    assert dump(client, prepare(uri, "second")) == anew(uri, client, tmp_path, "anew")


def test_readers_take_the_record_that_goes_on_and_say_of_the_other_that_it_is_old(uri: str, tmp_path: Path) -> None:
    begin(tmp_path, uri)
    resume(tmp_path, uri=uri, experiment="second")
    end(tmp_path)
    sync(tmp_path)
    assert_same_tables(tmp_path, uri)
    assert any(tells(text, f"second … {uri}") for text in read_tables(uri, "first").remarks.warnings)
    assert not any(tells(text, "second") for text in read_tables(uri, "second").remarks.warnings)
    runs = read_runs(uri, "metrics.score").runs
    assert set(runs["experiment"]) == {"second"}, "each trial is counted once"
    assert set(read_runs(uri, "metrics.score", experiments=["first"]).runs["experiment"]) == {"first"}


def test_there_and_back_again(uri: str, client: Any, tmp_path: Path) -> None:
    begin(tmp_path, uri)
    for experiment in ("second", "first"):
        resume(tmp_path, uri=uri, experiment=experiment)
        sync(tmp_path)
    assert not any(names.CONTINUED in run["tags"] for run in dump(client, prepare(uri, "first")).values())
    assert "RUNNING" not in statuses(uri, "second")
    end(tmp_path)
    sync(tmp_path)
    assert dump(client, prepare(uri, "first")) == anew(uri, client, tmp_path, "anew")


def test_another_database(uri: str, fresh: Callable[[], str], tmp_path: Path) -> None:
    other = fresh()
    begin(tmp_path, uri)
    resume(tmp_path, uri=other, experiment="first")
    result = sync(tmp_path)
    assert (result.uri, result.remarks) == (other, ())
    assert "RUNNING" not in statuses(uri, "first")
    assert "RUNNING" in statuses(other, "first"), "the sweep goes on"


@pytest.mark.parametrize("place", ["the same", "a link to it"])
def test_one_place_under_two_addresses_is_not_left(
    uri: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    begin(tmp_path, uri)
    link = tmp_path / "linked"
    link.symlink_to(Path(uri.removeprefix("sqlite:///")).parent)
    again = uri if place == "the same" else f"sqlite:///{link / 'mlflow.db'}"
    resume(tmp_path, uri=again, experiment="first")
    assert sync(tmp_path).remarks == ()
    assert "RUNNING" in statuses(uri, "first")
    assert not any(names.CONTINUED in run["tags"] for run in dump(client, prepare(uri, "first")).values())


def test_a_server_that_is_gone_costs_a_remark(uri: str, client: Any, tmp_path: Path) -> None:
    write_journal(tmp_path, tracking={"enabled": True, "uri": "http://127.0.0.1:9", "experiment": "first"})
    with Sweep(tmp_path) as sweep:
        spec = {**SPEC, "tracking": {"enabled": True, "uri": uri, "experiment": "second"}}
        sweep.journal.append("sweep", format=FORMAT, name="smoke", fingerprint="f" * 64, spec=spec)
    assert [tells(text, "first … http://127.0.0.1:9 … second") for text in sync(tmp_path).remarks] == [True]
    assert len(dump(client, prepare(uri, "second"))) == 9


def test_a_place_named_by_hand_leaves_the_others_as_they_are(
    uri: str, client: Any, fresh: Callable[[], str], tmp_path: Path
) -> None:
    begin(tmp_path, uri)
    before = dump(client, prepare(uri, "first"))
    sync(tmp_path, fresh(), "elsewhere")
    assert dump(client, prepare(uri, "first")) == before
