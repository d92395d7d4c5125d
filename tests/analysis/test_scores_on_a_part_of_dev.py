"""Reports on a part of dev decide at rungs, and are no scores: nothing is chosen or drawn by them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from made_settings import made_settings
from stand_ins import Clock, a_record, a_trial
from told import tells

from greenexp.analysis.curves.best_so_far import best_so_far_over
from greenexp.analysis.curves.evp import expected_best
from greenexp.analysis.exits.exit_means import exit_scores
from greenexp.analysis.search.progress import search_progress
from greenexp.analysis.stopping.simulate_curves import recorded_curves, sweep_points
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.journal.file import NAME, Journal, read_events
from greenexp.journal.state import SweepState
from greenexp.journal.tables import read_tables
from greenexp.records.objectives import objective_of
from greenexp.records.progress import epochs_at
from greenexp.records.tables import SweepTables
from greenexp.records.trial import TrialSpec
from greenexp.report import render_report
from greenexp.schedulers import build
from greenexp.sources.status import sweep_status
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.replay import rebuild

PER_EPOCH, EPOCHS, PART = 3, 2, 20
TRAINING: dict[str, Any] = {"epochs": EPOCHS, "reports_per_epoch": PER_EPOCH, "report_dev": PART}
TRIALS = [
    dataclasses.replace(a_trial(number, 0, 1), settings=made_settings(training=TRAINING), fingerprint="")
    for number in range(6)
]
ASHA = {"name": "asha", "reduction_factor": 2, "grace_period": 1 / 3}


def score(trial: TrialSpec, report: int) -> float:
    """On the part far higher than on all of dev, and the best configurations last."""
    return round(0.5 + 0.05 * trial.index + 0.01 * report + (0.3 if report % PER_EPOCH else 0.0), 6)


def report_of(trial: TrialSpec, number: int) -> Any:
    """Best scores as a trial says them: of reports on as many examples."""
    alike = [n for n in range(1, number + 1) if bool(n % PER_EPOCH) == bool(number % PER_EPOCH)]
    return dataclasses.replace(
        a_record(trial, 1, score(trial, number)),
        epoch=epochs_at(number, PER_EPOCH),
        best_score=max(score(trial, one) for one in alike),
        dev_examples=PART if number % PER_EPOCH else None,
        last=number == PER_EPOCH * EPOCHS,
    )


def played(folder: Path, scheduler: dict[str, Any], order: list[TrialSpec]) -> SweepTables:
    """All trials through the conductor, one after the other in the given order."""
    spec = {
        "name": "part", "task": {"name": "clauses"}, "metric": {"name": "accuracy"}, "training": TRAINING,
        "scheduler": scheduler, "search": {"name": "random", "samples": 6},
        "space": {"training.learning_rate": {"dist": "loguniform", "low": 1e-4, "high": 1e-2}},
    }  # fmt: skip
    with Journal(folder / NAME, clock=Clock()) as journal:
        state = SweepState()
        state.apply(journal.append("sweep", format=1, name="part", fingerprint="f", spec=spec))
        for trial in TRIALS:
            state.apply(journal.append("trial", spec=trial.to_json()))
        groups = {trial.configuration: [trial.trial] for trial in TRIALS}
        running = build(scheduler, max_epochs=EPOCHS, groups=groups, mode="max", reports_per_epoch=PER_EPOCH)
        conductor = Conductor(journal, state, running, limits={}, workers=1)
        conductor.begin({})
        for trial in order:
            conductor.started(trial.trial, 1, 0)
            for number in range(1, PER_EPOCH * EPOCHS + 1):
                if conductor.report(trial.trial, 1, report_of(trial, number)) == "stop":
                    break
        conductor.close()
        fresh = build(scheduler, max_epochs=EPOCHS, groups=groups, mode="max", reports_per_epoch=PER_EPOCH)
        assert rebuild(fresh, journal.events) == ()
    return read_tables(folder)


def test_nothing_is_chosen_by_a_score_on_a_part(tmp_path: Path) -> None:
    tables = played(tmp_path, {"name": "fifo"}, TRIALS)
    for trial, row in zip(TRIALS, tables.trials.to_dict("records"), strict=True):
        assert row["best_epoch"] == EPOCHS
        assert row["score"] == score(trial, PER_EPOCH * EPOCHS) < score(trial, 1)
    assert tables.epochs["dev_examples"].isna().sum() == 6 * EPOCHS
    found = best_so_far_over(tables, "epochs")
    assert set(found["epoch"]) <= {1, 2}
    assert found["cost"].iloc[-1] == pytest.approx(6 * EPOCHS)
    assert found["score"].max() == score(TRIALS[-1], PER_EPOCH * EPOCHS)
    curves = recorded_curves(sweep_points(tables), EPOCHS)
    assert curves.scores[0].tolist() == [score(TRIALS[0], PER_EPOCH), score(TRIALS[0], 2 * PER_EPOCH)]
    assert curves.costs[0].tolist() == [1, 2]
    assert sorted(exit_scores(tables)["score"]) == sorted(score(trial, PER_EPOCH * EPOCHS) for trial in TRIALS)
    state = SweepState(read_events(tmp_path / NAME))
    assert state.best is not None
    assert (state.best.spec, state.best.best_epoch) == (TRIALS[-1], EPOCHS)
    assert objective_of("score", state.best.records, state.spec.metric) == state.best.score


def test_a_trial_without_a_report_on_all_of_dev_has_no_score(tmp_path: Path) -> None:
    """Good ones come first, so bad ones are stopped after a third of an epoch, with higher scores than any."""
    tables = played(tmp_path, ASHA, TRIALS[::-1])
    trials = tables.trials.set_index("trial")
    stopped = trials[trials["epochs"] < 1]
    assert len(stopped) > 1
    assert stopped["score"].isna().all()
    assert stopped["best_epoch"].isna().all()
    given = tables.decisions[tables.decisions["action"] == "stop"].set_index("trial")["value"]
    assert all(given[trial.trial] == score(trial, 1) for trial in TRIALS if trial.trial in stopped.index)
    assert expected_best(tables).refusal
    assert "all of dev" in expected_best(tables).refusal
    assert "all of dev" in search_progress(tables).refusal
    shown = configuration_table(tables)
    assert shown["configuration"].iloc[0] == TRIALS[-1].configuration
    state = SweepState(read_events(tmp_path / NAME))
    assert {trial.spec.trial for trial in state.trials.values() if trial.score is None} == set(stopped.index)
    status = sweep_status(state, tmp_path)
    assert status.best is not None
    assert status.best.trial == TRIALS[-1].trial


def test_a_report_says_on_how_many_examples(tmp_path: Path) -> None:
    tables = played(tmp_path, ASHA, TRIALS[::-1])
    path = next(path for path in render_report(tables, ("md",), tmp_path) if path.suffix == ".md")
    text = path.read_text(encoding="utf-8").replace("\\_", "_")
    assert tells(text, f"{PART} examples of dev … training.report_dev")
