"""The dashboard over an MLflow: its sweeps are listed from a snapshot, and each is read as from its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from small_sweeps import Sweep, trial_spec, write_journal

from greenexp.dashboard import board as module
from greenexp.dashboard.board import Board
from greenexp.journal.tables import read_tables
from greenexp.tracking.sync import sync


def test_a_sweep_in_mlflow_is_shown_as_from_its_folder(
    fresh: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASKED_AFTER_S", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    uri = fresh()
    board = Board([uri])
    assert board.entries() == []
    (tmp_path / "sweep").mkdir()
    write_journal(tmp_path / "sweep")
    sync(tmp_path / "sweep", uri)
    (entry,) = board.entries()
    facts = Board([str(tmp_path / "sweep")]).entries()[0].facts
    ended = ("finished", "stopped", "failed")  # MLflow has no run of a trial that has not begun
    assert [entry.facts[name] for name in ended] == [facts[name] for name in ended]
    assert entry.facts["best"] == pytest.approx(facts["best"])
    assert board.open(entry.key).tables.trials.equals(read_tables(tmp_path / "sweep").trials)
    assert board.problems == []


def test_a_report_of_a_running_trial_is_something_new(
    fresh: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASKED_AFTER_S", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    uri, folder, trial = fresh(), tmp_path / "sweep", trial_spec(0, 0)
    folder.mkdir()
    board = Board([uri])
    seen = []
    with Sweep(folder) as sweep:
        sweep.session()
        sweep.plan(trial)
        sweep.start(trial.trial)
        for epoch in (1, 2):
            sweep.report(trial.trial, epoch)
            sync(folder, uri)
            (entry,) = board.entries()
            seen.append((entry.stamp, len(board.open(entry.key).tables.epochs)))
    assert board.entries()[0].stamp == seen[1][0] != seen[0][0]
    assert [epochs for _, epochs in seen] == [1, 2]


def test_an_address_that_does_not_answer_is_a_problem_and_no_end(tmp_path: Path) -> None:
    board = Board(["http://127.0.0.1:9/"])
    assert board.entries() == []
    assert len(board.problems) == 1
    assert "127.0.0.1:9" in board.problems[0]


def test_of_an_address_with_an_experiment_its_sweeps_alone_are_listed(
    fresh: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    uri = fresh()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_journal(tmp_path / name, name=name)
        sync(tmp_path / name, uri, f"experiment {name}")
    board = Board([f"{uri}#experiment other"])
    (entry,) = board.entries()
    assert (entry.facts["name"], entry.source) == ("other", f"{uri}#experiment other")
    assert board.open(entry.key).tables.spec.name == "other"
    assert len(Board([uri]).entries()) == 2
    assert Board([f"{uri}#nothing there"]).entries() == []
