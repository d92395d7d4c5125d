"""Trials that report within epochs and are saved while they train: the worker, the conductor and the folders."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from made_settings import made_settings
from stand_ins import Sweep, a_record, a_trial

from greenexp.errors import CheckpointError
from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState
from greenexp.meters import open_meters
from greenexp.records.decision import Action
from greenexp.records.epoch import Costs
from greenexp.records.progress import epochs_at, report_at
from greenexp.records.sections import Accounting
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.schedulers import build
from greenexp.tuning.assignment import Assignment
from greenexp.tuning.checkpoints import checkpoint_folder, prune_checkpoints, saved_folder
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.notices import LeavingNotice
from greenexp.tuning.replay import rebuild
from greenexp.tuning.results import SharedResults
from greenexp.tuning.taker import WorkerSettings
from greenexp.tuning.worker import TrialWorker

TINY = TrialSpec(
    "c000-i0-o0", "c000", 0,
    made_settings(
        task={"name": "clauses", "train": 64, "dev": 40, "test": 20},
        backbone={"layers": 2, "hidden": 16, "heads": 2, "max_positions": 40},
        training={"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "precision": "fp32", "reports_per_epoch": 2},
    ),
    {}, TrialSeeds(0, 0),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------- the worker


@pytest.fixture
def make_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """`make_worker(every_s, checkpoint, notice)`: a worker that Ray did not start, with TINY."""
    monkeypatch.setattr(TrialWorker, "_meters", lambda _: open_meters(cpus=1, exclusive=False))
    made: list[Any] = []

    def make(every_s: float | None, checkpoint: str | None = None, notice: Any = None) -> Any:
        worker: Any = object.__new__(TrialWorker)
        accounting = Accounting()
        worker._settings = WorkerSettings(
            SharedResults(tmp_path), {}, 1, 0, True, accounting, checkpoint_every_s=every_s
        )
        worker._data, worker._run, worker._notice = {}, None, notice
        worker.take(
            {
                "trial": TINY.trial,
                "spec": json.dumps(TINY.to_json()),
                "checkpoint": checkpoint,
                "data": "own",
                "attempt": 1,
            }
        )
        made.append(worker)
        return worker

    yield make
    for worker in made:
        worker.cleanup()


def numbers(result: dict[str, Any]) -> dict[str, Any]:
    """A record without what was measured."""
    record = json.loads(result["record"])
    return {name: value for name, value in record.items() if name not in {"costs", "not_measured"}}


def test_a_worker_that_dies_after_it_was_saved_loses_nothing(make_worker: Callable[..., Any]) -> None:
    plain = make_worker(None)
    expected = [numbers(plain.step()) for _ in range(4)]
    assert [record["epoch"] for record in expected] == [0.5, 1, 1.5, 2]
    found: list[dict[str, Any]] = []
    progress = []
    checkpoint = None
    while len(found) < len(expected):
        result = make_worker(0.0, checkpoint).step()  # and is never heard of again
        if "saved" in result:
            saved = json.loads(result["saved"])
            checkpoint = saved["checkpoint"]
            progress.append(saved["epoch"])
            assert saved["costs"]["wall_s"] > 0
            continue
        found.append(numbers(result))
        worker = make_worker(0.0, checkpoint)  # one that lives until it is saved after the report
        assert numbers(worker.step()) == found[-1]
        if len(found) < len(expected):
            saved = json.loads(worker.step()["saved"])
            checkpoint = saved["checkpoint"]
            progress.append(saved["epoch"])
    assert found == expected
    assert progress == [0.25, 0.75, 1.25, 1.75]  # reports come after the second and the fourth of an epoch's steps


def test_a_trial_is_saved_no_sooner_than_asked(make_worker: Callable[..., Any]) -> None:
    worker = make_worker(3600.0)
    assert all("record" in worker.step() for _ in range(4))


def test_a_pause_at_a_report_within_an_epoch(make_worker: Callable[..., Any], tmp_path: Path) -> None:
    worker = make_worker(None)
    expected = [numbers(worker.step()) for _ in range(4)]
    worker = make_worker(None)
    worker.step()
    worker.save_checkpoint(str(tmp_path))
    again = make_worker(None, checkpoint_folder(TINY.trial, 0.5))
    assert [numbers(again.step()) for _ in range(3)] == expected[1:]


def test_a_notice_that_the_node_leaves_saves_the_trial_at_once(make_worker: Callable[..., Any]) -> None:
    expected = [numbers(result) for result in (worker.step() for worker in [make_worker(None)] * 2)]
    drained: dict[str, int] = {}
    worker = make_worker(
        None, notice=LeavingNotice(lambda: drained, lambda: "here", clock=iter(range(0, 999, 3)).__next__)
    )
    assert numbers(worker.step()) == expected[0]
    drained["here"] = 0
    result = worker.step()
    assert "elsewhere" in result["leaving"]
    elsewhere = make_worker(None, json.loads(result["saved"])["checkpoint"])
    assert numbers(elsewhere.step()) == expected[1]


def test_a_notice_is_asked_for_seldom_and_costs_no_trial() -> None:
    asked: list[float] = []
    now = [0.0]

    def draining() -> dict[str, int]:
        asked.append(now[0])
        if now[0] < 5:
            raise ConnectionError("the head is away")
        return {"other": 0, "here": 12}

    notice = LeavingNotice(draining, lambda: "here", clock=lambda: now[0])
    found = []
    for now[0] in (0.0, 1.0, 2.0, 3.9, 4.0, 6.0, 6.1, 99.0):
        found.append(notice.has_come())
    assert found == [False] * 5 + [True] * 3
    assert asked == [0.0, 2.0, 4.0, 6.0]
    assert not LeavingNotice(lambda: {"other": 0}, lambda: "here").has_come()


def test_a_saved_state_that_is_damaged_is_begun_anew(make_worker: Callable[..., Any], tmp_path: Path) -> None:
    plain = make_worker(None)
    expected = numbers(plain.step())
    saved = json.loads(make_worker(0.0).step()["saved"])
    (tmp_path / saved["checkpoint"] / "manifest.json").write_text("{}")
    result = make_worker(None, saved["checkpoint"]).step()
    assert numbers(result) == expected
    assert "begun anew" in result["restarted"]


def test_a_full_disk_ends_the_session(make_worker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise CheckpointError("No space left on device")

    monkeypatch.setattr("greenexp.training.run.write_checkpoint", full)
    assert "No space left" in make_worker(0.0).step()["halt"]


# ------------------------------------------------------------------------------------------------------ the conductor

PER_EPOCH, EPOCHS = 4, 3
SCHEDULERS: dict[str, dict[str, Any]] = {
    "fifo": {"name": "fifo"},
    "asha": {"name": "asha", "reduction_factor": 2, "grace_period": 0.25},
    "sha": {"name": "sha", "reduction_factor": 2, "grace_period": 0.5},
    "hyperband": {"name": "hyperband", "reduction_factor": 3, "grace_period": 0.25},
}


class QuarterSweep(Sweep):
    """Sessions over one folder whose trials report four times in an epoch, and are saved after every second report."""

    def begin(self, scheduler: dict[str, Any], limits: dict[str, float] | None = None) -> Conductor:
        training = {"epochs": EPOCHS, "reports_per_epoch": PER_EPOCH}
        trials = [
            dataclasses.replace(spec, settings=made_settings(training=training), fingerprint="")
            for spec in (a_trial(c, s, 2) for c in range(6) for s in range(2))
        ]
        journal = Journal(self.folder / NAME, clock=self.clock)
        state = SweepState(journal.events)
        if not state.header:
            spec = {**self.spec, "training": training, "scheduler": scheduler}
            state.apply(journal.append("sweep", format=1, name="quarters", fingerprint="f", spec=spec))
            for trial in trials:
                state.apply(journal.append("trial", spec=trial.to_json()))
        groups: dict[str, list[str]] = {}
        for trial in trials:
            groups.setdefault(trial.configuration, []).append(trial.trial)
        running = build(scheduler, max_epochs=EPOCHS, groups=groups, mode="max", reports_per_epoch=PER_EPOCH)
        missing = rebuild(running, journal.events)
        conductor = Conductor(journal, state, running, limits=limits or {}, workers=2)
        conductor.begin({}, missing)
        return conductor


def play(conductor: Conductor, reports: int | None = None) -> int:
    """Train what is handed out, a report of each running trial in turn, until nothing is left or so many were made."""
    running: dict[str, tuple[Assignment, int]] = {}
    paused: dict[str, Assignment] = {}
    made = 0

    def start(assignment: Assignment) -> None:
        name = assignment.spec.trial
        checkpoint = conductor.state.trials[name].checkpoint
        after = checkpoint[0] if checkpoint else 0
        conductor.started(name, assignment.attempt, after)
        running[name] = (assignment, int(after * PER_EPOCH + 1e-9))

    while made != reports:
        for name in conductor.stopped_while_paused():
            conductor.drop_paused(name)
            paused.pop(name)
        for name in list(conductor.releasable()):
            if name in conductor.releasable():
                conductor.reserve(name)
                start(paused.pop(name))
        while isinstance(assignment := conductor.next_trial(), Assignment):
            conductor.reserve(assignment.spec.trial)
            start(assignment)
        if not running:
            break
        name = min(running, key=lambda one: (running[one][1], one))
        assignment, number = running.pop(name)
        epoch = epochs_at(number + 1, PER_EPOCH)
        record = dataclasses.replace(
            a_record(assignment.spec, 1, round(0.5 + 0.02 * assignment.spec.index + 0.01 * number, 6)),
            epoch=epoch, last=epoch == EPOCHS,
        )  # fmt: skip
        action = conductor.report(name, assignment.attempt, record)
        made += 1
        if action is Action.GO_ON:
            running[name] = (assignment, number + 1)
            if number % 2:
                costs = dataclasses.asdict(Costs(wall_s=0.5, train_flops=1e8))
                conductor.saved(name, assignment.attempt, epoch + 0.1, saved_folder(name, 10 * number), costs)
        elif action is Action.PAUSE:
            conductor.paused(name, assignment.attempt, epoch, checkpoint_folder(name, epoch), {"wall_s": 0.0})
            paused[name] = assignment
    return made


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("reports", [1, 5, 23, 40])
def test_killed_at_any_report_and_resumed(tmp_path: Path, name: str, reports: int) -> None:
    sweep = QuarterSweep(tmp_path)
    first = sweep.begin(SCHEDULERS[name])
    play(first, reports)
    ended = {trial: (state.status, state.epoch) for trial, state in first.state.trials.items() if state.ended}
    first.journal.close()
    second = sweep.begin(SCHEDULERS[name])
    play(second)
    assert second.close() == "finished"
    second.journal.close()
    for trial, end in ended.items():
        assert (second.state.trials[trial].status, second.state.trials[trial].epoch) == end
    for state in second.state.trials.values():
        numbers_of_reports = [report_at(epoch, PER_EPOCH) for epoch in sorted(state.records)]
        assert numbers_of_reports == list(range(1, report_at(state.epoch, PER_EPOCH) + 1)), "a report is missing"
    rungs = {verdict.rung for state in second.state.trials.values() for _, verdict in state.verdicts}
    assert name == "fifo" or any(isinstance(rung, float) for rung in rungs)


def test_a_budget_of_epochs_ends_the_sweep_within_one(tmp_path: Path) -> None:
    conductor = QuarterSweep(tmp_path).begin(SCHEDULERS["fifo"], limits={"epochs": 2})
    assert play(conductor) == 2 * PER_EPOCH
    assert conductor.close() == "limit"
    conductor.journal.close()
    assert conductor.state.epochs_run == 2


# -------------------------------------------------------------------------------------------------------- the folders


def test_only_the_newest_state_is_kept(tmp_path: Path) -> None:
    sweep = QuarterSweep(tmp_path)
    conductor = sweep.begin(SCHEDULERS["fifo"])
    name = "c000-i0-o0"
    own = tmp_path / "checkpoints" / name

    def write(folder: str) -> None:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "state").write_text("x")

    def event(step: int) -> None:
        conductor.saved(name, 1, step / 10, saved_folder(name, step), dataclasses.asdict(Costs(wall_s=1.0)))
        prune_checkpoints(tmp_path, conductor.state, conductor.journal.events[-1])

    conductor.started(name, 1, 0)
    for folder in (checkpoint_folder(name, 0.25), saved_folder(name, 3), saved_folder(name, 7)):
        write(folder)
    event(3)
    # The worker trains on and may be writing the state after step 7, which no event names yet.
    assert sorted(path.name for path in own.iterdir()) == ["step-3", "step-7"]
    event(7)
    assert [path.name for path in own.iterdir()] == ["step-7"]
    write(checkpoint_folder(name, 1))
    conductor.paused(name, 1, 1, checkpoint_folder(name, 1), {"wall_s": 0.0})
    prune_checkpoints(tmp_path, conductor.state, conductor.journal.events[-1])
    assert [path.name for path in own.iterdir()] == ["epoch-1"]
    conductor.journal.close()
