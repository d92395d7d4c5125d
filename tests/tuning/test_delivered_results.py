"""What workers on other machines make, on its way into the results folder; the keeper is called without Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import ActorUnavailableError

from greenexp.errors import StateError
from greenexp.tuning import results
from greenexp.tuning.results import DeliveredResults, ResultFile, ResultsKeeper


class HandleOfKeeper:
    """Calls a keeper at once, as if it were an actor; `broken`: what a call raises instead."""

    def __init__(self, keeper: ResultsKeeper, broken: Exception | None = None) -> None:
        self.keeper, self.broken, self.calls = keeper, broken, 0

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self.keeper, name)

        def remote(*arguments: Any) -> Any:
            self.calls += 1
            if self.broken is not None:
                raise self.broken
            return method(*pickle.loads(pickle.dumps(arguments)))  # noqa: S301 - its own bytes

        return SimpleNamespace(remote=remote)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results folder."""
    monkeypatch.setattr(results.ray, "get", lambda answer: answer)
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


def written(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_worker_writes_moves_to_the_driver_and_comes_back(driver: Path) -> None:
    worker = DeliveredResults(HandleOfKeeper(ResultsKeeper(driver)))
    files = {"logits/a.npz": b"a" * 300_000, "models/t/greenexp.json": b"{}", "models/t/x.safetensors": b"\0weights"}
    for name, content in files.items():
        path = worker.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    half = worker.folder / "models" / "t" / ".greenexp-abc"
    half.mkdir()
    (half / "x.safetensors").write_bytes(b"half")
    worker.settle()
    assert written(driver) == files
    assert written(worker.folder) == {"models/t/.greenexp-abc/x.safetensors": b"half"}
    with worker.fetched("models/t") as folder:
        copies = written(folder)
    assert copies == {"greenexp.json": b"{}", "x.safetensors": b"\0weights"}
    assert not folder.exists()
    with worker.fetched("checkpoints/none") as folder:
        assert not folder.exists()
    calls = worker._keeper.calls
    worker.settle()
    assert worker._keeper.calls == calls, "nothing is new"
    here = worker.folder
    worker.close()
    assert not here.exists()


def test_the_file_that_vouches_for_the_others_goes_last(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    monkeypatch.setattr(results, "move_whole", lambda paths, *_: moved.extend(path.name for path in paths))
    worker = DeliveredResults(HandleOfKeeper(ResultsKeeper(driver)))
    for name in ("manifest.json", "state-1.json", "tensors-2.safetensors"):
        path = worker.folder / "checkpoints" / "t" / "epoch-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    worker.settle()
    assert moved == ["state-1.json", "tensors-2.safetensors", "manifest.json"]


@pytest.mark.parametrize("path", ["../elsewhere", "/etc/motd", "models/../../x", "", "/", "//etc/motd"])
def test_nothing_is_written_or_read_outside_the_results_folder(driver: Path, path: str) -> None:
    keeper = ResultsKeeper(driver)
    with pytest.raises(StateError):
        keeper.write([ResultFile(path, b"x")])
    with pytest.raises(StateError):
        keeper.read(path)
    assert written(driver.parent) == {}


def test_a_disk_that_takes_nothing_ends_the_session_and_nothing_is_lost(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results, "move_whole", full)
    worker = DeliveredResults(HandleOfKeeper(ResultsKeeper(driver)))
    (worker.folder / "log").write_bytes(b"kept")
    with pytest.raises(StateError, match="No space left"):
        worker.settle()
    assert written(worker.folder) == {"log": b"kept"}
    assert written(driver) == {}


def test_a_full_disk_of_the_worker_is_trouble_of_the_machine(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    worker = DeliveredResults(HandleOfKeeper(ResultsKeeper(driver)))
    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(StateError, match="No space left"):
        worker.settle()
    with pytest.raises(StateError, match="No space left"), worker.fetched("models/t"):
        raise AssertionError


def test_a_folder_that_the_driver_deletes_meanwhile_is_no_trouble(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(paths: list[Path], folder: Path, mode: int) -> None:
        monkeypatch.undo()
        folder.rmdir()
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(results, "move_whole", gone)
    ResultsKeeper(driver).write([ResultFile("models/t/x", b"x")])
    assert written(driver) == {"models/t/x": b"x"}


def test_a_driver_that_cannot_be_reached_is_a_clear_error(driver: Path) -> None:
    gone = ActorUnavailableError("gone", None)
    worker = DeliveredResults(HandleOfKeeper(ResultsKeeper(driver), broken=gone))
    worker.log("t", "a line that nobody waits for")
    (worker.folder / "x").write_bytes(b"x")
    with pytest.raises(StateError, match="cannot be reached"):
        worker.settle()


def test_a_keeper_that_begins_anew_clears_what_arrived_by_half(driver: Path) -> None:
    (driver / ".arriving-x").mkdir()
    (driver / ".arriving-x" / "half").write_bytes(b"x")
    keeper = ResultsKeeper(driver)
    keeper.log("t", "one")
    keeper.log("t", "two \udcff")
    assert [path.name for path in driver.iterdir()] == ["logs"]
    lines = (driver / "logs" / "t.log").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["one", "two \\udcff"]
