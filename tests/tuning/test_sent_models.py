"""Models in a node's cache: who still trains with one keeps it, and what nobody trains with makes room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from stand_ins import a_trial
from tiny_served_models import save_tiny

from greenexp.errors import StateError
from greenexp.journal import chosen_model as chosen
from greenexp.journal.origins import identity
from greenexp.records.sections import Accounting
from greenexp.training import TrialRun
from greenexp.tuning import delivered_origins as delivered
from greenexp.tuning import taker as module
from greenexp.tuning.delivered_origins import SentModel, install_origin, install_origins
from greenexp.tuning.results import SharedResults
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import TrialWorker


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SentModel]:
    """Three models, and a cache that is empty."""
    monkeypatch.setattr(chosen, "_DELIVERED", {})
    monkeypatch.setattr(delivered, "_HELD", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    models = []
    for seed in range(3):
        folder = save_tiny(tmp_path / f"model{seed}", seed=seed)
        models.append(SentModel(identity(str(folder)), {one.name: one.read_bytes() for one in folder.iterdir()}))
    return models


def kept(tmp_path: Path) -> set[str]:
    cache = tmp_path / "cache" / "greenexp" / "models"
    return {path.name for path in cache.iterdir() if path.is_dir()}


def name_of(model: SentModel) -> str:
    return model.identity[:32]


def test_what_nobody_trains_with_makes_room_and_what_another_sweep_needs_stays(
    sent: list[SentModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock is of an open file, not of a process: what another process holds is held here by other open files."""

    def process() -> dict[Path, int]:
        held: dict[Path, int] = {}
        monkeypatch.setattr(delivered, "_HELD", held)
        return held

    def ends(held: dict[Path, int]) -> None:  # also by a crash: the kernel closes its files
        for lock in held.values():
            os.close(lock)

    neighbour = process()
    install_origin("elsewhere", sent[0])
    mine = process()
    own = install_origin("own", sent[1])
    assert kept(tmp_path) == {name_of(sent[0]), own.name}
    ends(neighbour)
    (own.parent / f".draft-{name_of(sent[0])}-half").mkdir()
    install_origin("further", sent[2])
    assert kept(tmp_path) == {own.name, name_of(sent[2])}, "both are this process's own"
    ends(mine)
    process()
    assert install_origin("again", sent[0]).is_dir()
    assert kept(tmp_path) == {name_of(sent[0])}


def test_where_a_file_system_has_no_locks_nothing_is_removed(
    sent: list[SentModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(delivered.fcntl, "flock", no_locks)
    for model in sent:
        monkeypatch.setattr(delivered, "_HELD", {})
        install_origin("one", model)
    assert kept(tmp_path) == set(map(name_of, sent))


def test_a_worker_gets_each_model_once(sent: list[SentModel]) -> None:
    fetched = []

    def fetch(place: Any) -> SentModel:
        fetched.append(place)
        return sent[place]

    for _ in range(2):
        install_origins({"out/a": 0, "out/b": 1}, fetch)
    install_origins({"out/a": 0, "out/c": 2}, fetch)
    assert fetched == [0, 1, 2]
    folders = [chosen.chosen_model(Path(source)) for source in ("out/a", "out/b", "out/c")]
    assert [folder.name for folder in folders] == list(map(name_of, sent))


def test_a_model_that_the_disk_does_not_take_ends_no_trial_but_the_sweep(
    sent: list[SentModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker without Ray, before its first step: the models are there before a trial is built, and an error halts."""
    (tmp_path / "cache").write_text("a file in the place of a folder")
    with pytest.raises(StateError, match="out/a"):
        install_origin("out/a", sent[0])
    worker: Any = object.__new__(TrialWorker)
    settings = {"threads": 1, "gpus": 0, "exclusive": True, "accounting": Accounting()}
    worker._settings = WorkerSettings(SharedResults(tmp_path), {}, origins={"out/a": 0}, **settings)
    worker._trial, worker._run = a_trial(0, 0, 1), None
    monkeypatch.setattr(module.ray, "get", lambda place: sent[place])
    monkeypatch.setattr(TrialRun, "__init__", lambda *_, **__: pytest.fail("no trial is built"))
    assert "out/a" in worker.step()["halt"]
    assert not chosen.is_delivered("out/a")
