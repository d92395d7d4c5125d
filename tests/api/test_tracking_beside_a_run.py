"""MLflow beside a run: no fault of a server holds up the start or the end of the sweep."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from told import tells

from greenexp.api import running
from greenexp.api.running import END_S, LEAST_FLUSH_S, RunOptions, _tracking
from greenexp.api.watching import Watcher
from greenexp.errors import InputError
from greenexp.records.sections import Tracking
from greenexp.tracking import writer


class Remarks(Watcher):
    def __init__(self) -> None:
        self.told: list[str] = []

    def remark(self, subject: str, text: str) -> None:
        self.told.append(f"{subject} {text}")


@pytest.fixture
def black_hole() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def planned(**tracking: Any) -> Any:
    """As much of a plan as tracking looks at."""
    return SimpleNamespace(spec=SimpleNamespace(name="smoke", tracking=Tracking(**tracking)))


def test_a_server_that_never_answers_is_not_waited_for(
    black_hole: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setattr(running, "END_S", 0.2)
    monkeypatch.setattr(running, "LEAST_FLUSH_S", 0.1)
    watch, folder, began = Remarks(), tmp_path / "a b", time.monotonic()
    folder.mkdir()
    with _tracking(planned(uri=black_hole), folder, watch) as tracker:
        assert tracker is not None
        tracker.wait_for_database()
    assert time.monotonic() - began < 30, "it waited for an answer"
    assert [tells(text, f"MLflow … greenexp sync '{folder}'") for text in watch.told] == [True]
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "greenexp-tracking")


def test_a_database_in_a_file_is_there_before_the_sweep_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = threading.Event()

    def slow_disk(uri: str, experiment: str) -> str:
        time.sleep(0.3)
        made.set()
        return "1"

    monkeypatch.setattr(writer, "prepare", slow_disk)
    with _tracking(planned(), tmp_path, Remarks()) as tracker:
        assert tracker is not None
        tracker.wait_for_database()
        assert made.is_set()


def test_the_end_has_room_for_the_report_within_twenty_seconds() -> None:
    assert LEAST_FLUSH_S < END_S < 20


def test_a_server_that_refuses_is_told_at_once_and_named(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    watch = Remarks()
    with _tracking(planned(uri=address), tmp_path, watch) as tracker:
        assert tracker is not None
        tracker.wait_for_database()
        for _ in range(3000):
            if watch.told:
                break
            time.sleep(0.01)
    assert tells(watch.told[0], f"MLflow … {address}")


@pytest.mark.parametrize("out", ["file:///tmp/x", "s3://bucket/x", "gs://bucket/x"])
def test_results_lie_in_a_folder_and_not_at_an_address(out: str) -> None:
    with pytest.raises(InputError, match=r"--out .*folder"):
        RunOptions(Path(out))
    assert RunOptions(Path("out/a:b")).out is not None
