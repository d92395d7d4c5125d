"""A sweep without Ray or torch: plain trials, a journal in a folder, a conductor and a stand-in for the workers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from made_settings import made_settings

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.journal.state import SweepState
from greenexp.records.decision import Action
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.schedulers import Scheduler, build
from greenexp.tuning.assignment import Assignment
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.replay import rebuild

EPOCHS = 9
ASHA = {"name": "asha", "reduction_factor": 3, "grace_period": 1}


def a_trial(configuration: int, seed: int, seeds: int) -> TrialSpec:
    return TrialSpec(
        trial=f"c{configuration:03d}-i{seed}-o0",
        configuration=f"c{configuration:03d}",
        index=configuration * seeds + seed,
        settings=made_settings(training={"epochs": EPOCHS, "learning_rate": 1e-3 * (configuration + 1)}),
        searched={"training.learning_rate": 1e-3 * (configuration + 1)},
        seeds=TrialSeeds(seed, 0),
    )


def curve(trial: TrialSpec, epoch: int) -> float:
    """Higher configurations are better at every epoch; seeds differ a little."""
    return round(0.5 + 0.02 * int(trial.configuration[1:]) + 0.01 * epoch + 0.003 * trial.seeds.initialisation, 6)


def a_record(trial: TrialSpec, epoch: int, score: float | None = None, wall_s: float = 1.0) -> EpochRecord:
    value = curve(trial, epoch) if score is None else score
    return EpochRecord(
        epoch=epoch, step=10 * epoch, examples=100, train_loss=1.0 / epoch, learning_rate=1e-3,
        score=value, best_score=value, exits=(ExitScore(1, 1, {"accuracy": value}, 1e6),),
        costs=Costs(wall_s=wall_s, cpu_s=0.9, train_flops=1e9), last=epoch == EPOCHS,
        encoder_layers=1, parameters=1000,
    )  # fmt: skip


def a_scheduler(settings: dict[str, Any], trials: list[TrialSpec]) -> Scheduler:
    groups: dict[str, list[str]] = {}
    for trial in trials:
        groups.setdefault(trial.configuration, []).append(trial.trial)
    return build(settings, max_epochs=EPOCHS, groups=groups, mode="max")


class Clock:
    """Time that passes one second per look."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1_000_000)

    def __call__(self) -> float:
        return float(next(self._ticks))


class Sweep:
    """Opens sessions over one folder, and plays the workers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.spec: dict[str, Any] = {
            "name": "stand-in", "task": {"name": "clauses"},
            "metric": {"name": "accuracy", "exit": "mean", "mode": "max"},
            "scheduler": ASHA, "budget": {}, "tracking": {"enabled": False},
        }  # fmt: skip

    def open(
        self,
        *,
        scheduler: dict[str, Any] | None = None,
        configurations: int = 6,
        seeds: int = 2,
        workers: int = 2,
        limits: dict[str, float] | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Conductor:
        trials = [a_trial(c, s, seeds) for c in range(configurations) for s in range(seeds)]
        journal = Journal(self.folder / NAME, clock=self.clock)
        state = SweepState(journal.events)
        if not state.header or state.header["spec"] != self.spec:
            header = {"format": FORMAT, "name": "stand-in", "fingerprint": "f", "spec": dict(self.spec)}
            state.apply(journal.append("sweep", **header))
        if not state.trials:
            for trial in trials:
                state.apply(journal.append("trial", spec=trial.to_json()))
        running = a_scheduler(scheduler or ASHA, trials)
        missing = rebuild(running, journal.events)
        conductor = Conductor(journal, state, running, limits=limits or {}, workers=workers)
        conductor.begin(facts or {}, missing)
        return conductor


class Workers:
    """Trains whatever the conductor hands out, a given number of reports at most, one report at a time."""

    def __init__(
        self,
        conductor: Conductor,
        *,
        fail: dict[str, int] | None = None,
        ends: dict[str, int] | None = None,
        wall_s: float = 1.0,
        score: Callable[[TrialSpec, int], float] = curve,
        costs: Callable[[TrialSpec, int, bool], dict[str, float | None]] | None = None,
    ) -> None:
        """fail: trial -> the epoch it dies in; ends: trial -> the epoch after which it ends by its patience.

        costs: costs of the report after an epoch that are not those of `a_record`, given whether it is a repeated one
        """
        self.score = score
        self.costs = costs
        self.conductor = conductor
        self.fail, self.ends = fail or {}, ends or {}
        self.wall_s = wall_s
        self.running: dict[str, tuple[Assignment, int]] = {}
        self.paused: dict[str, Assignment] = {}
        self.ran: list[tuple[str, int]] = []

    def play(self, reports: int | None = None) -> None:
        """Until nothing is left to do, or so many reports have been made."""
        for count in itertools.count():
            if count == reports:
                return
            self._fill()
            if not self.running:
                return
            self._train(min(self.running, key=lambda name: (self.running[name][1], name)))

    def _fill(self) -> None:
        conductor = self.conductor
        for name in conductor.stopped_while_paused():
            conductor.drop_paused(name)
            self.paused.pop(name)
        for name in list(conductor.releasable()):
            if name in conductor.releasable():
                conductor.reserve(name)
                self._start(self.paused.pop(name))
        while isinstance(assignment := conductor.next_trial(), Assignment):
            conductor.reserve(assignment.spec.trial)
            self._start(assignment)

    def _start(self, assignment: Assignment) -> None:
        name = assignment.spec.trial
        checkpoint = self.conductor.state.trials[name].checkpoint
        after = checkpoint[0] if checkpoint else 0
        self.conductor.started(name, assignment.attempt, after)
        self.running[name] = (assignment, after)

    def _train(self, name: str) -> None:
        assignment, epoch = self.running.pop(name)
        epoch += 1
        if self.fail.get(name) == epoch:
            self.conductor.failed(name, assignment.attempt, "loss became nan at optimiser step 7")
            return
        self.ran.append((name, epoch))
        record = a_record(assignment.spec, epoch, self.score(assignment.spec, epoch), wall_s=self.wall_s)
        record = dataclasses.replace(record, last=record.last or self.ends.get(name) == epoch)
        if self.costs is not None:
            own = self.costs(assignment.spec, epoch, epoch in self.conductor.state.trials[name].records)
            record = dataclasses.replace(record, costs=dataclasses.replace(record.costs, **own))
        action = self.conductor.report(name, assignment.attempt, record)
        if action is Action.GO_ON:
            self.running[name] = (assignment, epoch)
        elif action is Action.PAUSE:
            self.conductor.paused(name, assignment.attempt, epoch, f"checkpoints/{name}/epoch-{epoch}", {"wall_s": 0.0})
            self.paused[name] = assignment
