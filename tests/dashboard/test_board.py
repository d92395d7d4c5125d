"""Which sweeps a dashboard finds, what it calls them, and when it reads them again."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from stand_ins import Sweep, Workers
from told import tells

import greenexp
from greenexp.api.views import VIEWS
from greenexp.dashboard import board as module
from greenexp.dashboard.asked import Asked
from greenexp.dashboard.board import Board
from greenexp.errors import InputError, UnknownNameError

FACTS = (
    "experiment",
    "status",
    "trials",
    "finished",
    "stopped",
    "failed",
    "running",
    "best",
    "metric",
    "start_s",
    "reported_s",
    "end_s",
)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AFTER_S", 0.0)


def begin(folder: Path, reports: int | None = None) -> Path:
    """A sweep with so many reports, its driver gone."""
    folder.mkdir(parents=True)
    conductor = Sweep(folder).open(configurations=3)
    Workers(conductor).play(reports)
    conductor.journal.close()
    return folder


def test_a_folder_of_sweeps_and_a_sweep_by_itself(tmp_path: Path) -> None:
    begin(tmp_path / "out" / "one")
    begin(tmp_path / "two")
    keys = {entry.key for entry in Board([str(tmp_path / "out"), str(tmp_path / "two")]).entries()}
    assert keys == {"one", "two"}
    assert len(Board([str(tmp_path / "two"), str(tmp_path)]).entries()) == 1, "a sweep given twice is there once"


def test_sweeps_of_one_name_have_keys_of_their_own(tmp_path: Path) -> None:
    for parent in ("a", "b"):
        begin(tmp_path / parent / "same")
    board = Board([str(tmp_path / "a"), str(tmp_path / "b")])
    keys = [entry.key for entry in board.entries()]
    assert len(set(keys)) == 2
    assert {str(board.open(key).folder) for key in keys} == {str(tmp_path / p / "same") for p in ("a", "b")}


def test_no_two_sweeps_have_one_key_and_each_keeps_its_own(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "a" / "x-2"]
    for folder in folders:
        begin(folder)
    board = Board([str(tmp_path / "a"), str(tmp_path / "b")])
    keys = {board.open(entry.key).folder: entry.key for entry in board.entries()}
    assert keys == dict(zip(folders, ("x", "x-3", "x-2"), strict=True))
    begin(tmp_path / "a" / "x-3")
    assert {board.open(key).folder: key for key in keys.values()} == keys
    assert len({entry.key for entry in board.entries()}) == 4


def test_a_sweep_that_goes_on_is_read_again_and_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "going"
    folder.mkdir()
    conductor = Sweep(folder).open(configurations=3)
    workers = Workers(conductor)
    workers.play(2)
    board = Board([str(folder)])
    before, stamp = board.open("going"), board.entry("going").stamp
    assert board.open("going") is before
    assert len(before.unreplayed.epochs) == 2
    workers.play(3)
    assert board.entry("going").stamp != stamp
    assert len(board.open("going").unreplayed.epochs) == 5
    conductor.journal.close()


def test_what_appears_later_is_found(tmp_path: Path) -> None:
    board = Board([str(tmp_path)])
    assert board.entries() == []
    with pytest.raises(UnknownNameError):
        board.open("")
    begin(tmp_path / "late")
    assert [entry.key for entry in board.entries()] == ["late"]
    assert board.entry("").key == "late"


def test_what_cannot_be_read_is_said_and_does_not_hide_the_others(tmp_path: Path) -> None:
    begin(tmp_path / "good")
    bad = begin(tmp_path / "bad") / "journal.jsonl"
    bad.write_bytes(bad.read_bytes().replace(b'"kind":"report"', b'"kind":"rep0rt"', 1))
    facts = {entry.key: entry.facts for entry in Board([str(tmp_path)]).entries()}
    assert facts["bad"]["state"] == "not readable"
    assert "journal" in facts["bad"]["problem"]
    assert facts["good"]["trials"] == 6


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        Board([str(tmp_path / "nowhere")])
    assert tells(str(caught.value), "nowhere")


def test_a_folder_that_is_removed_later_is_a_problem(tmp_path: Path) -> None:
    folder = begin(tmp_path / "root" / "sweep").parent
    board = Board([str(folder)])
    assert board.entries()
    assert board.problems == []
    folder.rename(tmp_path / "elsewhere")
    assert board.entries() == []
    (problem,) = board.problems
    assert str(folder) in problem


def test_as_many_sweeps_as_stated_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    for name in ("one", "two"):
        begin(tmp_path / name)
    board = Board([str(tmp_path)])
    first = board.open("one")
    board.open("two")
    assert board.open("one") is not first


def test_of_a_sweep_that_grows_only_what_is_new_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "going"
    folder.mkdir()
    conductor = Sweep(folder).open(configurations=3)
    workers = Workers(conductor)
    board = Board([str(folder)])
    seen = []
    for _ in range(2):
        workers.play(1)
        seen += [status.reports for status in board.statuses()]
    journal = folder / "journal.jsonl"
    with journal.open("r+b") as file:
        file.write(b"?")  # who reads it from the start finds that it is damaged
    workers.play(None)
    conductor.journal.close()
    (last,) = board.statuses()
    assert seen == [1, 2]
    assert last.reports > 2
    assert board.entry("going").facts["finished"] == last.trials["finished"]
    assert list(Board([str(folder)]).statuses()) == []


def test_an_address_that_takes_long_is_listed_when_it_has_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    through = threading.Event()
    found = SimpleNamespace(sweeps=pd.DataFrame([dict.fromkeys(FACTS, 1) | {"name": "far", "sweep": "0123456789"}]))

    def read(_uri: str) -> object:
        assert through.wait(20)
        return found

    monkeypatch.setattr(module, "_snapshot", read)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    board = Board(["http://" + "user:secret" + "@localhost:1"])
    assert board.entries() == []
    (problem,) = board.problems
    assert "localhost:1" in problem
    assert "secret" not in problem
    through.set()
    monkeypatch.setattr(next(iter(board._snapshots.values())), "_patience_s", 20.0)
    assert [entry.key for entry in board.entries()] == ["far.01234567"]
    assert board.problems == []


def test_a_password_is_for_reading_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither pages, nor what is copied from them, nor errors have it."""
    row = dict.fromkeys(FACTS, 1) | {"name": "far", "sweep": "0123456789", "experiment": "own"}
    monkeypatch.setattr(module, "_snapshot", lambda _uri: SimpleNamespace(sweeps=pd.DataFrame([row])))
    opened, local = [], greenexp.load(begin(tmp_path / "local"))
    monkeypatch.setattr(module, "Sweep", lambda source, sweep: (opened.append((source, sweep)), local)[1])
    secret = "s3cr" + "et"
    board = Board([f"http://bob:{secret}@host/"])
    assert secret not in f"{board.sources} {board.entries()} {board.problems}"
    asked = Asked(VIEWS["curves"], "far.01234567")
    facts = asked.facts(board, asked.answer(board))
    assert opened == [(f"http://bob:{secret}@host/#own", "0123456789")]
    assert "greenexp.load('http://host/#own'" in facts["python"]
    assert secret not in str(facts)
    assert (
        board.told(f"cannot parse bob:{secret}@host of http://bob:{secret}@host/")
        == "cannot parse host of http://host/"
    )
