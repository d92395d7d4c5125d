"""Analysis of a sweep whose trials report within epochs: curves to simulate, best so far, savings, rungs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from made_settings import made_settings
from stand_ins import Clock, a_record, a_trial

from greenexp.analysis.curves.best_so_far import best_so_far_over
from greenexp.analysis.exits.exit_means import training_costs
from greenexp.analysis.stopping.simulate_curves import recorded_curves, sweep_points
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.savings import rung_table, savings
from greenexp.figures import rungs_figure
from greenexp.journal.file import NAME, Journal
from greenexp.journal.tables import read_tables
from greenexp.records.progress import epochs_at
from greenexp.records.tables import SweepTables
from greenexp.records.trial import TrialSpec

PER_EPOCH, EPOCHS = 3, 2
TRAINING: dict[str, Any] = {"epochs": EPOCHS, "reports_per_epoch": PER_EPOCH}
TRIALS = [
    dataclasses.replace(a_trial(number, 0, 1), settings=made_settings(training=TRAINING), fingerprint="")
    for number in range(3)
]


def score(trial: TrialSpec, report: int) -> float:
    return round(0.5 + 0.1 * trial.index + 0.01 * report, 6)


def recorded(folder: Path, stopped_at: int | None = None) -> SweepTables:
    """Three trials report to their end, or the first of them is stopped at a report."""
    scheduler = {"name": "fifo"} if stopped_at is None else {"name": "asha", "reduction_factor": 3}
    spec = {
        "name": "parts", "task": {"name": "clauses"}, "metric": {"name": "accuracy"}, "training": TRAINING,
        "scheduler": scheduler,
    }  # fmt: skip
    with Journal(folder / NAME, clock=Clock()) as journal:
        journal.append("sweep", format=1, name="parts", fingerprint="f", spec=spec)
        journal.append("session", number=1)
        for trial in TRIALS:
            journal.append("trial", spec=trial.to_json())
        for trial in TRIALS:
            journal.append("started", trial=trial.trial, attempt=1, after=0)
            end = stopped_at if stopped_at is not None and trial.index == 0 else PER_EPOCH * EPOCHS
            for number in range(1, end + 1):
                record = dataclasses.replace(
                    a_record(trial, 1, score(trial, number)),
                    epoch=epochs_at(number, PER_EPOCH),
                    last=number == PER_EPOCH * EPOCHS,
                )
                journal.append("report", trial=trial.trial, attempt=1, record=record.to_json())
                if number == stopped_at:
                    verdict = {"value": 0.5, "cutoff": 0.6, "bracket": 0, "reason": "", "rung": record.epoch}
                    action = "stop" if trial.index == 0 else "go_on"
                    journal.append("decision", trial=trial.trial, action=action, **verdict)
    return read_tables(folder)


def test_a_simulation_can_judge_at_every_report(tmp_path: Path) -> None:
    curves = recorded_curves(sweep_points(recorded(tmp_path)), PER_EPOCH * EPOCHS)
    for row, trial in enumerate(TRIALS):
        assert curves.scores[row].tolist() == [score(trial, number) for number in range(1, 7)]
        assert curves.costs[row].tolist() == pytest.approx([number / PER_EPOCH for number in range(1, 7)])


def test_what_trials_took_is_counted_in_epochs(tmp_path: Path) -> None:
    took = training_costs(recorded(tmp_path))
    assert took["epochs"].tolist() == [EPOCHS] * 6
    assert took["wall_s"].tolist() == [PER_EPOCH * EPOCHS] * 6


def test_the_best_score_so_far_over_epochs(tmp_path: Path) -> None:
    found = best_so_far_over(recorded(tmp_path), "epochs")
    assert found["cost"].iloc[-1] == pytest.approx(3 * EPOCHS)
    assert found["cost"].iloc[0] == pytest.approx(1 / PER_EPOCH)


@pytest.mark.parametrize("report", [1, 2, 3])
def test_savings_add_up_in_parts_of_epochs(tmp_path: Path, report: int) -> None:
    tables = recorded(tmp_path, stopped_at=report)
    numbers = savings(tables)
    assert numbers.planned_epochs == 3 * EPOCHS
    assert numbers.saved_epochs == pytest.approx(EPOCHS - report / PER_EPOCH)
    assert numbers.run_epochs + numbers.saved_epochs == pytest.approx(numbers.planned_epochs)
    assert isinstance(numbers.run_epochs, int) == (report == PER_EPOCH)
    rungs = rung_table(tables)
    assert rungs["rung"].tolist() == [epochs_at(report, PER_EPOCH)]
    assert (rungs["stopped"].tolist(), rungs["went_on"].tolist()) == ([1], [2])
    assert rungs_figure(rungs).spec["layer"]
    states = configuration_table(tables).set_index("configuration")
    assert f"epoch {report / PER_EPOCH:g}" in states.loc["c000", "reason"]
