"""Drives a scheduler as tuning would: a few workers, any order of reports, failures at chosen epochs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from greenexp.records.decision import Action, Verdict
from greenexp.schedulers import Scheduler, build


@dataclass
class Outcome:
    """`ended`: trial -> (finished | stopped | failed, epochs trained); verdicts that fell at rungs, in order."""

    ended: dict[str, tuple[str, int]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def final(self) -> dict[tuple[str, int], Verdict]:
        """(trial, rung) -> the verdict that ended the wait."""
        return {(v.trial, v.rung): v for v in self.verdicts if v.rung is not None and v.action is not Action.PAUSE}


def groups_of(configurations: int, seeds: int = 1) -> dict[str, list[str]]:
    return {f"c{c:03d}": [f"c{c:03d}-i{s}" for s in range(seeds)] for c in range(configurations)}


def scheduler_for(name="asha", configurations=6, seeds=1, max_epochs=9, mode="max", **settings):
    return build({"name": name, **settings}, max_epochs=max_epochs, groups=groups_of(configurations, seeds), mode=mode)


class Entrance:
    """Configurations that enter one by one, until it is said that no other will; None: there are none to enter."""

    def __init__(self, scheduler: Scheduler, later: Mapping[str, Sequence[str]] | None) -> None:
        self._scheduler = scheduler
        self._left = list((later or {}).items())
        self.trials = {trial for _, trials in self._left for trial in trials}
        self.is_open = later is not None

    def fill(self, running: list[str], ready: list[str], workers: int, rng: random.Random) -> Sequence[Verdict]:
        """Give free workers what may begin, else what enters; the verdicts that fall because no other will."""
        while len(running) < workers:
            able = [trial for trial in ready if self._scheduler.may_begin(trial)]
            if able:
                ready.remove(chosen := rng.choice(able))
                running.append(chosen)
            elif self._left:
                configuration, trials = self._left.pop(0)
                self._scheduler.enter(configuration, trials)
                ready += trials
            elif self.is_open:
                self.is_open = False
                return self._scheduler.close()
            else:
                break
        return ()

    def all_that_falls(
        self, running: list[str], ready: list[str], workers: int, rng: random.Random
    ) -> Iterator[Verdict]:
        """`fill` until nobody else may begin; each verdict is obeyed before the next is asked for."""
        while verdicts := self.fill(running, ready, workers, rng):
            yield from verdicts


def drive(
    scheduler: Scheduler,
    curves: Mapping[str, Sequence[float]],
    *,
    workers: int = 4,
    seed: int = 0,
    fails: Mapping[str, int] | None = None,
    later: Mapping[str, Sequence[str]] | None = None,
) -> Outcome:
    """Run all trials of `curves` (values per epoch) to an end; a trial in `fails` dies instead of reporting that epoch.

    later: configurations that enter one by one, each when a worker is free and nothing else can run, until it is said
        that no other will; without it all are there at the start
    Where its curve ends a trial has ended by itself. Raises AssertionError if trials are left that may not run, and for
    a verdict on a trial that is neither paused nor held back, unless it stops one that is running or planned.
    """
    rng, epochs = random.Random(seed), dict.fromkeys(curves, 0)
    entrance = Entrance(scheduler, later)
    seeds_grow = not all(scheduler.may_begin(trial) for trial in curves if trial not in entrance.trials)
    outcome, ready, running, paused = Outcome(), [t for t in curves if t not in entrance.trials], [], set()

    def obey(verdict: Verdict, own: bool) -> None:
        outcome.verdicts.append(verdict)
        trial, goes_on = verdict.trial, verdict.action is Action.GO_ON
        joins = goes_on and trial in ready and not epochs[trial]
        assert own or trial in paused or joins or (seeds_grow and verdict.action is Action.STOP), f"{verdict}: why?"
        if verdict.action is Action.PAUSE:
            running.remove(trial)
            paused.add(trial)
        elif verdict.action is Action.STOP:
            running[:], ready[:] = ([one for one in here if one != trial] for here in (running, ready))
            paused.discard(trial)
            outcome.ended[trial] = ("stopped", epochs[trial])
        elif not own and not joins:
            paused.discard(trial)
            ready.append(trial)

    while len(outcome.ended) < len(curves):
        for verdict in entrance.all_that_falls(running, ready, workers, rng):
            obey(verdict, own=False)
        if len(outcome.ended) == len(curves):
            break
        assert running, f"deadlock: {sorted(paused)} wait for nobody"
        trial = rng.choice(running)
        epoch = epochs[trial] = epochs[trial] + 1
        failed = (fails or {}).get(trial) == epoch
        if failed or epoch == len(curves[trial]):
            running.remove(trial)
            outcome.ended[trial] = ("failed" if failed else "finished", epoch)
            others = _told(scheduler, trial, epoch, None if failed else curves[trial][-1])
        else:
            decision = scheduler.decide(trial, epoch, curves[trial][epoch - 1])
            obey(decision.own, own=True)
            others = decision.others
        for verdict in others:
            obey(verdict, own=False)
    return outcome


def _told(scheduler: Scheduler, trial: str, epoch: int, value: float | None) -> tuple[Verdict, ...]:
    """What the end of a trial brings for others; value: None if it failed."""
    if value is None:
        return scheduler.withdraw(trial, "loss became nan")
    return scheduler.finish(trial, epoch, value)
