"""The queue of trials against a look at all of them, over random sweeps."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stand_ins import Sweep, Workers, a_trial

from greenexp.tuning.conductor import Conductor
from greenexp.tuning.queue import TrialQueue, turn


@dataclass
class TrialOfSweep:
    spec: Any
    attempts: int = 0
    ended: bool = False


@pytest.mark.parametrize("seed", range(20))
def test_it_holds_what_a_look_at_all_trials_finds(seed: int) -> None:
    rng = random.Random(seed)
    trials: dict[str, TrialOfSweep] = {}

    def add() -> None:
        spec = a_trial(len(trials), 0, 1)
        trials[spec.trial] = TrialOfSweep(spec, attempts=rng.random() < 0.2, ended=rng.random() < 0.1)

    for _ in range(10):
        add()
    queue = TrialQueue(trials)  # type: ignore[arg-type]
    for _ in range(200):
        act, name = rng.random(), rng.choice(list(trials))
        if act < 0.1:
            add()
        elif act < 0.5 and not trials[name].ended:
            trials[name].attempts += 1
            queue.began(name)
        elif act < 0.7:
            trials[name].ended = True
        found = [trial.spec.trial for trial in queue.planned()]
        assert found == [name for name, trial in trials.items() if not trial.attempts and not trial.ended]
        begun = {trial.spec.trial for trial in queue.begun()}
        assert begun == {name for name, trial in trials.items() if trial.attempts and not trial.ended}
        assert queue.ever_begun() == {name for name, trial in trials.items() if trial.attempts}


SCHEDULERS = [
    {"name": "fifo"},
    {"name": "sha", "reduction_factor": 2, "seeds": [1, 2, 3]},
    {"name": "asha", "reduction_factor": 2, "seeds": [1, 2, 3]},
    {"name": "asha", "reduction_factor": 2, "seeds": [1, 2, 3], "resource": "train_flops", "grace_period": 1e9},
    {"name": "asha_promotion", "reduction_factor": 2, "seeds": [1, 2, 3]},
    {"name": "seed_racing", "reduction_factor": 2},
    {"name": "hyperband", "reduction_factor": 3},
]


@pytest.mark.parametrize(("kills", "workers"), [(0, 1), (3, 4)])
@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=str)
def test_the_next_trial_is_that_of_a_look_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheduler: dict[str, Any], kills: int, workers: int
) -> None:
    compared = []

    def look(self: Conductor) -> Any:
        found = quick(self)
        free = [trial for trial in self.state.trials.values() if not trial.ended and self._is_free(trial)]
        free = [trial for trial in free if trial.attempts > 0 or self.scheduler.may_begin(trial.spec.trial)]
        assert found is min(free, key=turn, default=None)
        compared.append(found)
        return found

    quick = Conductor._next_runnable
    monkeypatch.setattr(Conductor, "_next_runnable", look)
    sweep = Sweep(tmp_path)
    for _ in range(kills):
        conductor = sweep.open(scheduler=scheduler, seeds=3, configurations=9, workers=workers)
        Workers(conductor).play(reports=9)
        conductor.journal.close()
    conductor = sweep.open(scheduler=scheduler, seeds=3, configurations=9, workers=workers)
    Workers(conductor).play()
    conductor.journal.close()
    assert len(compared) > 10
