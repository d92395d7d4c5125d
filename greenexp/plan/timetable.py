"""When trials run: a sweep played through with its own scheduler, on its workers, with given seconds of each report."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.records.progress import epochs_at
from greenexp.schedulers import Scheduler

FLOPS = "train_flops"


@dataclass(frozen=True, slots=True)
class Slots:
    """What trials run on, in seconds: `seconds[trial][report]` of each report, `setups[trial]` of each (re)start.

    names: of the trials, in the order they start; workers: trials at a time; per_epoch: reports per epoch
    warm_s: of the first trial that each worker runs, once
    """

    names: Sequence[str]
    seconds: Sequence[Sequence[float]]
    setups: Sequence[float]
    workers: int
    per_epoch: int = 1
    warm_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Judge:
    """A fresh scheduler over the trials, and what they will score: one value each, the same after every epoch.

    flops: [trial][report] training FLOPs, for rungs that lie there; objectives: trial -> costs among the objectives
    """

    scheduler: Scheduler
    values: Sequence[float]
    flops: Sequence[Sequence[float]]
    objectives: Sequence[ObjectiveCosts] = ()

    def decide(self, slots: Slots, trial: int, made: int) -> Decision:
        """On a trial, by its place, after its report `made` (from 1), which is not its last."""
        costs = {FLOPS: self.flops[trial][made - 1]}
        epochs, told = epochs_at(made, slots.per_epoch), self._objectives(trial)
        return self.scheduler.decide(slots.names[trial], epochs, self.values[trial], costs, told)

    def finish(self, slots: Slots, trial: int, made: int) -> tuple[Verdict, ...]:
        """After the last report of a trial."""
        epochs, told = epochs_at(made, slots.per_epoch), self._objectives(trial)
        return self.scheduler.finish(slots.names[trial], epochs, self.values[trial], told)

    def _objectives(self, trial: int) -> ObjectiveCosts:
        return self.objectives[trial] if self.objectives else NO_COSTS


@dataclass(frozen=True, slots=True)
class Course:
    """What was run: elapsed seconds until the last worker was free, seconds per trial, and reports of each trial."""

    elapsed_s: float
    held_s: Sequence[float]
    reports: Sequence[int]


@dataclass(slots=True)
class _Waiting:
    """Trials without a worker, by their places: planned ones whose turn has come, paused ones, released ones."""

    planned: list[int]
    paused: dict[int, int] = field(default_factory=dict)
    released: list[tuple[int, int]] = field(default_factory=list)

    def take(self) -> tuple[int, int] | None:
        """(trial, reports it has made) that goes next: of those released the one that has trained longest."""
        if self.released:
            made, trial = heapq.heappop(self.released)
            return trial, -made
        return (heapq.heappop(self.planned), 0) if self.planned else None

    def obey(self, places: Mapping[str, int], verdicts: Sequence[Verdict]) -> None:
        """Release or drop those that waited, for others or for their turn."""
        for verdict in verdicts:
            trial = places[verdict.trial]
            made = self.paused.pop(trial, None)
            if verdict.action is Action.GO_ON and made is None:
                heapq.heappush(self.planned, trial)
            elif verdict.action is Action.GO_ON and made is not None:
                heapq.heappush(self.released, (-made, trial))


def play(slots: Slots, judge: Judge) -> Course:
    """Run the trials, each as far as the scheduler lets it.

    A trial that pauses frees its slot, and goes on before new ones begin, as in a sweep (`tuning.conductor`).
    """
    places = {name: place for place, name in enumerate(slots.names)}
    waiting = _Waiting([place for place, name in enumerate(slots.names) if judge.scheduler.may_begin(name)])
    reports, held, now, numbers = [0] * len(places), [0.0] * len(places), 0.0, count()
    running: list[tuple[float, int, int]] = []  # (end of the report, number: it breaks ties of time, trial)
    cold = slots.workers

    def train(trial: int, more: float = 0.0) -> None:
        length = more + slots.seconds[trial][reports[trial]]
        held[trial] += length
        heapq.heappush(running, (now + length, next(numbers), trial))

    while True:
        while len(running) < slots.workers and (following := waiting.take()) is not None:
            train(following[0], slots.setups[following[0]] + (slots.warm_s if cold > 0 else 0.0))
            cold -= 1
        if not running:
            return Course(now, held, reports)
        now, _, trial = heapq.heappop(running)
        reports[trial] += 1
        if reports[trial] == len(slots.seconds[trial]):
            waiting.obey(places, judge.finish(slots, trial, reports[trial]))
            continue
        decision = judge.decide(slots, trial, reports[trial])
        waiting.obey(places, decision.others)
        if decision.action is Action.GO_ON:
            train(trial)
        elif decision.action is Action.PAUSE:
            waiting.paused[trial] = reports[trial]


def play_all(slots: Slots) -> Course:
    """All trials run to their end, in their order, each on the worker that is free first."""
    held = [setup + sum(seconds) for setup, seconds in zip(slots.setups, slots.seconds, strict=True)]
    held = [each + slots.warm_s * (place < slots.workers) for place, each in enumerate(held)]
    free = [0.0] * slots.workers
    for each in held:
        heapq.heapreplace(free, free[0] + each)
    return Course(max(free), held, [len(seconds) for seconds in slots.seconds])
