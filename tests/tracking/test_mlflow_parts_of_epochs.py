"""A sweep that reports within epochs: MLflow's steps are whole numbers, and nothing is lost on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from small_sweeps import SPEC, Sweep, record, trial_spec

from greenexp.journal.tables import read_tables as journal_tables
from greenexp.records.epoch import EpochRecord
from greenexp.records.progress import epochs_at
from greenexp.tracking import names
from greenexp.tracking.reader import read_tables
from greenexp.tracking.server import connect
from greenexp.tracking.sync import sync

TRAINING = {**SPEC["training"], "reports_per_epoch": 4, "report_dev": 50}
TRIALS = [trial_spec(0, seed, reports_per_epoch=4, report_dev=50) for seed in (0, 1)]


def report(sweep: Sweep, trial: str, number: int, attempt: int = 1, last: bool = False) -> None:
    on = 50 if number % 4 else None
    made: EpochRecord = dataclasses.replace(record(number, last=last), epoch=epochs_at(number, 4), dev_examples=on)
    if on is not None:
        made = dataclasses.replace(made, dev_logits=None)
    sweep.journal.append("report", trial=trial, attempt=attempt, record=made.to_json())


def write(folder: Path) -> None:
    first, second = (spec.trial for spec in TRIALS)
    with Sweep(folder, training=TRAINING) as sweep:
        sweep.session()
        sweep.plan(*TRIALS)
        for trial in (first, second):
            sweep.start(trial)
        for number in (1, 2, 3):
            report(sweep, first, number)
        report(sweep, second, 1)
        sweep.decide(second, "stop", 0.25, value=0.1, cutoff=0.2, reason="below the cutoff")  # type: ignore[arg-type]
        sweep.start(first, attempt=2, after=0)
        for number in (3, 4, 5):
            report(sweep, first, number, attempt=2, last=number == 5)
        sweep.journal.append("closed", status="finished")


def test_tables_are_those_of_the_journal(fresh: Callable[[], str], tmp_path: Path) -> None:
    uri = fresh()
    write(tmp_path)
    sync(tmp_path, uri)
    journal, mlflow = journal_tables(tmp_path), read_tables(uri)
    for name, frame in journal.frames.items():
        pd.testing.assert_frame_equal(mlflow.frames[name], frame, check_exact=True, obj=name)
    assert journal.epochs["epoch"].tolist() == [0.25, 0.5, 0.75, 0.25, 0.75, 1, 1.25]
    assert journal.decisions["rung"].tolist() == [0.25]
    assert journal.epochs["dev_examples"].dropna().tolist() == [50] * 6


def test_steps_count_reports_and_a_metric_has_the_epochs(fresh: Callable[[], str], tmp_path: Path) -> None:
    uri = fresh()
    write(tmp_path)
    sync(tmp_path, uri)
    client = connect(uri)
    runs = [
        run
        for experiment in client.search_experiments()
        for run in client.search_runs([experiment.experiment_id])
        if run.data.tags.get(names.TRIAL_NAME) == TRIALS[0].trial
    ]
    (run,) = runs
    scores = client.get_metric_history(run.info.run_id, "best_score")
    assert [point.step for point in scores] == [4], "those on a part of dev are under other names"
    assert len(client.get_metric_history(run.info.run_id, f"{names.PART}best_score")) == 4
    history = client.get_metric_history(run.info.run_id, names.EPOCH)
    assert sorted((point.step, point.value) for point in history) == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1), (5, 1.25)]
