"""The writer's thread: it follows, and neither delays nor ends anything when MLflow is slow or gone."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow_contents import Watched, counting, dump, failing, slow
from small_sweeps import Sweep, standard_events, tiny_journal

from greenexp.errors import JournalError, TrackingError
from greenexp.journal.file import NAME
from greenexp.tracking import follow, writer
from greenexp.tracking.follow import only_one
from greenexp.tracking.server import connect, prepare
from greenexp.tracking.sync import sync
from greenexp.tracking.writer import Tracker


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "POLL_S", 0.01)
    monkeypatch.setattr(writer, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(writer, "LOCK_S", 0.2)


@pytest.fixture
def with_client(monkeypatch: pytest.MonkeyPatch) -> Callable[[Watched], None]:
    """Make the tracker use another client."""
    return lambda client: monkeypatch.setattr(follow, "connect", lambda uri: client)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never happened")


def contents(uri: str, experiment: str) -> dict[Any, Any]:
    return dump(connect(uri), prepare(uri, experiment))


def test_it_follows_a_growing_journal_and_ends_level(uri: str, tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, uri, "followed")
    tracker.start()  # before there is a journal
    with Sweep(tmp_path) as sweep:
        for _ in standard_events(sweep):
            time.sleep(0.05)
    assert tracker.stop(60)
    assert tracker.problem is None
    followed = contents(uri, "followed")
    sync(tmp_path, uri, "synced")
    assert followed == contents(uri, "synced")


def test_a_line_half_written_is_waited_for(uri: str, tmp_path: Path) -> None:
    tiny_journal(tmp_path)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-30])
    tracker = Tracker(tmp_path, uri, "torn")
    tracker.start()
    until(lambda: len(connect(uri).search_runs([prepare(uri, "torn")])) > 3)
    with (tmp_path / NAME).open("ab") as file:
        file.write(whole[-30:])
    assert tracker.stop(60)
    assert contents(uri, "torn")["sweep", ""]["status"] == "FINISHED"


def test_a_failing_server_is_tried_again(uri: str, tmp_path: Path, with_client: Any) -> None:
    tiny_journal(tmp_path)
    with_client(failing(connect(uri), lambda count, _: count in {1, 2, 5, 9, 14}, after=True))
    tracker = Tracker(tmp_path, uri, "failing")
    tracker.start()
    until(lambda: ("sweep", "") in contents(uri, "failing") and tracker.problem is None)
    assert tracker.stop(60)
    sync(tmp_path, uri, "synced")
    assert contents(uri, "failing") == contents(uri, "synced")


def test_a_server_that_stays_away_is_told_and_sync_catches_up(uri: str, tmp_path: Path, monkeypatch: Any) -> None:
    tiny_journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(follow, "connect", lambda uri: failing(connect(uri), lambda *_: True, after=False))
        tracker = Tracker(tmp_path, uri, "away")
        tracker.start()
        until(lambda: tracker.problem is not None)
        assert not tracker.stop(60)
        assert "the server is away" in (tracker.problem or "")
    result = sync(tmp_path, uri, "away")
    assert (result.trials, result.reports, result.experiment) == (2, 5, "away")
    assert len(contents(uri, "away")) == 4


def test_a_slow_server_does_not_hold_up_the_end(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_journal(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(follow, "connect", lambda uri: slow(connect(uri), 0.3))
        tracker = Tracker(tmp_path, uri, "slow")
        tracker.start()
        assert tracker.stop(0.1) is False
        until(lambda: not tracker._thread.is_alive())  # it gives up between two calls and frees the lock
    sync(tmp_path, uri, "slow")
    assert len(contents(uri, "slow")) == 4


@pytest.fixture
def deaf_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("report_s", "waits_s"), [(0.0, 15.0), (6.0, 9.0), (40.0, 4.0)])
def test_what_the_report_takes_is_not_waited_for_besides(
    report_s: float, waits_s: float, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, joined = [100.0], []
    monkeypatch.setattr(writer, "time", SimpleNamespace(monotonic=lambda: now[0]))
    tracker = Tracker(tmp_path, uri)
    thread = SimpleNamespace(ident=1, join=joined.append, is_alive=lambda: True)
    monkeypatch.setattr(tracker, "_thread", thread)
    tracker.session_ended()
    now[0] += report_s
    assert not tracker.stop(15.0, least_s=4.0)
    assert joined == [waits_s]


def test_a_dead_or_deaf_server_delays_neither_journal_nor_exit(
    deaf_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead_server = f"http://127.0.0.1:{closed.getsockname()[1]}"
    trackers = []
    for number, server in enumerate((deaf_server, dead_server)):
        folder = tmp_path / str(number)
        trackers.append(Tracker(folder, server, "x"))
        trackers[-1].start()
        tiny_journal(folder)
    until(lambda: trackers[1].problem is not None)
    assert [tracker.stop(0.05) for tracker in trackers] == [False, False]
    assert all(tracker._thread.daemon for tracker in trackers)
    until(lambda: not any(tracker._thread.is_alive() for tracker in trackers))


def test_stopping_before_there_is_a_journal_is_no_trouble(uri: str, tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, uri)
    tracker.start()
    assert tracker.stop(60)
    assert not Tracker(tmp_path, uri).stop(1), "never started: not level"


def test_a_damaged_journal_is_told_not_raised(uri: str, tmp_path: Path) -> None:
    tiny_journal(tmp_path)
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join([*lines[:3], b"garbage\n", *lines[4:]]))
    tracker = Tracker(tmp_path, uri, "damaged")
    tracker.start()
    assert not tracker.stop(60)
    assert "journal.jsonl:4: " in (tracker.problem or "")
    with pytest.raises(JournalError, match=r"journal.jsonl:4"):
        sync(tmp_path, uri, "damaged")


def test_only_one_process_writes_a_sweep_into_an_mlflow(uri: str, tmp_path: Path) -> None:
    tiny_journal(tmp_path)
    with only_one(tmp_path, uri, 0.0):
        tracker = Tracker(tmp_path, uri, "locked")
        tracker.start()
        assert not tracker.stop(60)
        assert "another greenexp process" in (tracker.problem or "")
        with only_one(tmp_path, "sqlite:///elsewhere.db", 0.0):
            pass
        with pytest.raises(TrackingError, match="another greenexp process"), only_one(tmp_path, uri, 0.0):
            pass


def test_nobody_else_sees_a_bug_in_the_writer(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_journal(tmp_path)
    monkeypatch.setattr(follow.Follower, "read", lambda self: 1 / 0)
    tracker = Tracker(tmp_path, uri)
    tracker.start()
    assert not tracker.stop(60)
    assert tracker.problem == "ZeroDivisionError: division by zero"


def test_sync_takes_address_and_experiment_from_the_sweep_file(uri: str, tmp_path: Path) -> None:
    with Sweep(tmp_path, tracking={"enabled": True, "uri": uri, "experiment": "from the file"}):
        pass
    result = sync(tmp_path)
    assert (result.uri, result.experiment, result.events) == (uri, "from the file", 1)


def test_sync_without_a_journal_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        sync(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_thread_is_the_only_one(uri: str, tmp_path: Path, with_client: Any) -> None:
    """MLflow's own background threads would outlive the timeout of `stop`."""
    tiny_journal(tmp_path)
    with_client(counting(connect(uri)))
    before = set(threading.enumerate())
    tracker = Tracker(tmp_path, uri, "threads")
    tracker.start()
    assert tracker.stop(60)
    for thread in set(threading.enumerate()) - before:
        thread.join(30)  # a pool that is no longer used ends its threads, but does not wait for them
    assert set(threading.enumerate()) <= before
