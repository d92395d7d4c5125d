"""Whole sweeps through the real command line, Ray and SQLite: to the end, killed, interrupted, with failures."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from powercap import running_package
from sweeps_for_tests import (
    TINY,
    count,
    events,
    greenexp,
    interrupt,
    numbers,
    signal_workers,
    started,
    wait_for,
    write_sweep,
)
from told import tells

from greenexp.journal.tables import read_tables as from_journal
from greenexp.meters.rapl import POWERCAP_VARIABLE
from greenexp.records.tables import SweepTables
from greenexp.tracking.reader import read_tables as from_mlflow
from greenexp.tracking.server import default_uri
from greenexp.training.checkpoint import read_checkpoint

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


PARTS = (
    TINY.replace("epochs: 4", "epochs: 4, reports_per_epoch: 2")
    .replace("reduction_factor: 2", "reduction_factor: 2, grace_period: 0.5")
    .replace("workers: 2", "workers: 2, checkpoint_every: 0.2 s")
)
"""Reports, and a rung, within an epoch; trials are saved while they train."""
UNTRACKED = PARTS + "tracking: {enabled: false}\n"
"""The same without MLflow, whose database takes seconds: for tests that look at the journal alone."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny sweep that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = greenexp("run", write_sweep(folder, UNTRACKED), "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture
def power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose CPU package has a counter of energy."""
    with running_package(tmp_path / "powercap") as root:
        monkeypatch.setenv(POWERCAP_VARIABLE, str(root))
        yield


@pytest.mark.usefixtures("power")
def test_a_killed_driver_loses_nothing_and_doubles_nothing(tmp_path: Path, whole: Path) -> None:
    """At every report, without Ray: tests/tuning/test_conductor.py."""
    sweep, out = write_sweep(tmp_path, PARTS), tmp_path / "out"
    with started(tmp_path / "log", "run", sweep, "--out", out) as process:
        wait_for(process, lambda: count(out, "report") >= 11)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before = events(out)
    carried = carried_j(out, before)
    resumed = greenexp("run", sweep, "--out", out, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert events(out)[: len(before)] == before
    assert numbers(out) == numbers(whole), "the resumed sweep shows other numbers than an undisturbed one"
    tables = from_journal(out)
    assert set(tables.trials["status"]) <= {"finished", "stopped"}
    assert list(tables.trials["status"]) == list(from_journal(whole).trials["status"])
    assert (tables.trials["attempts"] <= 2).all()
    recorded = from_mlflow(default_uri(out))
    for name, frame in tables.frames.items():
        pd.testing.assert_frame_equal(recorded.frames[name], frame, obj=name)
    check_energy(tables, before, carried)


def check_energy(tables: SweepTables, before: list[dict[str, Any]], carried: float) -> None:
    """Two trials at a time on one package: each report has its part of it, and the parts are the whole.

    before: the events of the first driver; carried: joules that it had counted and no report of it has
    """
    assert set(tables.epochs["energy_method"]) <= {"measured_shared_utilisation", "measured_shared_equal"}
    assert (tables.epochs["energy_j"] > 0).all()
    last = tables.energy.iloc[-1]
    parts = last[["trials_j", "overhead_j", "unattributed_j"]]
    assert parts.sum() == pytest.approx(last["meter_j"], abs=1e-5)
    assert (parts > 0).all()
    first = sum(event["kind"] == "report" for event in before)
    resumed = tables.epochs["energy_j"].iloc[first:]  # of the second driver, and so of the second sampler
    assert resumed.sum() <= last["trials_j"] + carried + 1.0


def carried_j(out: Path, before: list[dict[str, Any]]) -> float:
    """What trials had used when they were last saved: their next report, of the next driver, has it too.

    Of a paused trial only its checkpoint tells it.
    """
    newest = {event["trial"]: event["checkpoint"] for event in before if event["kind"] in ("paused", "saved")}
    folders = [out / name for name in newest.values() if (out / name).is_dir()]
    return sum((read_checkpoint(folder)[1]["spent"] or {}).get("energy_j") or 0.0 for folder in folders)


def test_ctrl_c_ends_cleanly_and_resume_goes_on(tmp_path: Path, whole: Path) -> None:
    sweep, out = write_sweep(tmp_path, UNTRACKED), tmp_path / "out"
    with started(tmp_path / "log", "run", sweep, "--out", out) as process:
        wait_for(process, lambda: count(out, "report") >= 4)
        interrupt(process)
        process.wait(timeout=120)
    output = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert events(out)[-1]["kind"] == "closed"
    assert (out / "report.html").exists()
    refused = greenexp("run", sweep, "--out", out)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr
    resumed = greenexp("run", sweep, "--out", out, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert numbers(out) == numbers(whole)
    assert count(out, "report") == len(numbers(out)), "an epoch that had been saved was trained again"


def test_a_killed_worker_costs_an_attempt_and_no_number(tmp_path: Path, whole: Path) -> None:
    for turn in range(4):  # a worker that is killed between two trials costs nothing
        out = tmp_path / f"out{turn}"
        with started(tmp_path / "log", "run", write_sweep(tmp_path, UNTRACKED), "--out", out) as process:
            wait_for(process, lambda out=out: count(out, "report") >= 3)  # type: ignore[misc]
            signal_workers(process, signal.SIGKILL, most=1)
            assert process.wait(timeout=200) == 0, (tmp_path / "log").read_text(encoding="utf-8")
        assert numbers(out) == numbers(whole)
        trials = from_journal(out).trials
        if trials["attempts"].max() > 1:
            break
    assert sorted(trials["attempts"])[-2:] == [1, 2], "one trial, and only one, was started again"
    assert trials.loc[trials["attempts"] == 2, "lost_wall_s"].iloc[0] >= 0


def test_workers_that_hang_are_killed_and_their_trials_tried_again(tmp_path: Path, whole: Path) -> None:
    # Tried again often: where other programs take the cores, starting a worker takes as long.
    text = UNTRACKED.replace("workers: 2", "workers: 2, max_failures: 20, no_report_limit: 20 s")
    out = tmp_path / "out"
    with started(tmp_path / "log", "run", write_sweep(tmp_path, text), "--out", out) as process:
        wait_for(process, lambda: count(out, "report") >= 3)
        signal_workers(process, signal.SIGSTOP)  # whatever they do: train, save, or take the next trial
        assert process.wait(timeout=300) == 0, (tmp_path / "log").read_text(encoding="utf-8")
    assert numbers(out) == numbers(whole)
    ends = [event["reason"] for event in events(out) if event["kind"] == "ended"]
    assert ends
    assert all("resources.no_report_limit" in reason for reason in ends)


POINTS = "{name: points, points: [{training.learning_rate: 1e-3}%s]}"
DIVERGING = ", {training.learning_rate: 1e30}"


def test_a_sweep_that_a_limit_ended_is_finished_and_extended(tmp_path: Path) -> None:
    """By another point, whose trials fail while the others go on, and by another seed."""
    text = "".join(line for line in TINY.splitlines(keepends=True) if not line.startswith("space:"))
    text += "tracking: {enabled: false}\n"
    text = text.replace("sha, reduction_factor: 2", "fifo").replace("epochs: 4", "epochs: 2")
    sweep, out = write_sweep(tmp_path, text.replace("{name: random, samples: 4}", POINTS % "")), tmp_path / "out"
    limited = greenexp("run", sweep, "--out", out, "--set", "budget.epochs=3")
    assert limited.returncode == 0, limited.stderr
    assert "limit on epochs" in limited.stderr
    first = numbers(out)
    assert len(first) == count(out, "report") == 3
    refused = greenexp("run", sweep, "--out", out, "--resume", "--set", "training.epochs=3")
    assert refused.returncode == 2
    assert tells(refused.stderr, "2 of 2 trials … training")
    extended = ("--set", f"search={POINTS % DIVERGING}", "--set", "seeds.order=2")
    more = greenexp("run", sweep, "--out", out, "--resume", *extended)
    assert more.returncode == 1, more.stderr
    check_failed(out, more.stderr)
    after = numbers(out)
    assert {key: after[key] for key in first} == first
    assert count(out, "report") == len(after) == 8, "an epoch was trained again"
    again = greenexp("run", sweep, "--out", out, "--resume", *extended)
    assert again.returncode == 1, again.stderr
    held_out = from_journal(out).held_out
    assert len(held_out) >= 4, "all seeds of the chosen configuration are evaluated on test"
    assert (held_out["evaluation"] == 1).all(), "resuming a finished sweep must not look at the test set again"


def check_failed(out: Path, told: str) -> None:
    """The trials of the second point have diverged, with the step at which they did; the others have finished."""
    trials = from_journal(out).trials
    ends = trials.groupby("configuration")["status"].agg(set)
    assert dict(ends) == {"c000": {"finished"}, "c001": {"failed"}}
    failed = trials[trials["status"] == "failed"]
    assert failed["reason"].str.contains("step").all()
    assert "c001-i0-o0" in told
    log = greenexp("logs", "c001-i0-o0", "--out", out)
    assert "failed" in log.stdout
