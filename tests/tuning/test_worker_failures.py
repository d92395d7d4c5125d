"""What a trial's exception leaves behind: a reason that can be read, however long its text was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stand_ins import a_trial
from told import tells

from greenexp.errors import LOG_LENGTH, REASON_LENGTH, InputError, StateError, abridged
from greenexp.journal.file import NAME, Journal
from greenexp.records.sections import Accounting
from greenexp.tuning.results import SharedResults
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import TrialWorker

MEGABYTES = "x" * 10_000_000


@pytest.fixture
def worker(tmp_path: Path) -> Any:
    """A worker that Ray did not start."""
    made: Any = object.__new__(TrialWorker)
    made._settings = WorkerSettings(
        SharedResults(tmp_path), {}, threads=1, gpus=0, exclusive=True, accounting=Accounting()
    )
    made._trial, made._run = a_trial(0, 0, 1), None
    return made


@pytest.mark.parametrize("kind", [ValueError, InputError])
def test_a_long_exception_is_cut_in_the_record_and_kept_longer_in_the_log(
    worker: Any, tmp_path: Path, kind: type[Exception]
) -> None:
    def fail() -> None:
        raise kind(f"the shapes differ: {MEGABYTES} at the very end")

    worker._training = fail
    reason = json.loads(worker.step()["failure"])["reason"]
    assert len(reason) <= REASON_LENGTH
    assert "the shapes differ: xxx" in reason
    assert reason.endswith("xxx at the very end")
    assert "characters left out" in reason
    (log,) = (tmp_path / "logs").iterdir()
    text = log.read_text()
    assert REASON_LENGTH < len(text) <= LOG_LENGTH + 100
    assert "the shapes differ" in text


def test_a_stop_iteration_is_named_as_the_exception_it_is(worker: Any) -> None:
    worker._training = lambda: next(iter(()))
    assert json.loads(worker.step()["failure"])["reason"].startswith("StopIteration")


def test_a_reason_that_is_not_unicode_stays_the_reason(worker: Any, tmp_path: Path) -> None:
    """Such a text comes from the name of a file that is not UTF-8; the trial failed, and not its worker."""

    def fail() -> None:
        raise InputError("cannot read " + b"bad_\xff.txt".decode("utf-8", "surrogateescape"))

    worker._training = fail
    reason = json.loads(worker.step()["failure"])["reason"]
    (log,) = (tmp_path / "logs").iterdir()
    assert tells(log.read_text(encoding="utf-8"), "failed: cannot read bad_\\udcff.txt")
    with Journal(tmp_path / NAME) as journal:
        told = journal.append("ended", trial="c000-i0-o0", status="failed", reason=reason).data["reason"]
    assert told == "cannot read bad_\\udcff.txt"


def test_what_halts_the_sweep_is_cut_too(worker: Any) -> None:
    def fail() -> None:
        raise StateError(MEGABYTES)

    worker._training = fail
    assert len(worker.step()["halt"]) <= REASON_LENGTH


@pytest.mark.parametrize("length", [0, 1, 100, 101, 1000, 12_345_678])
def test_abridged_says_how_much_is_gone(length: int) -> None:
    text = "".join(str(place % 10) for place in range(min(length, 2000))) + "z" * max(length - 2000, 0)
    found = abridged(text, 100)
    if length <= 100:
        assert found == text
    else:
        begin, gone, end = found.partition(" [... ")[0], found.partition("[... ")[2].split()[0], found[-10:]
        assert len(found) <= 100
        assert text.startswith(begin)
        assert text.endswith(end)
        assert len(text) - int(gone.replace(",", "")) == 40
