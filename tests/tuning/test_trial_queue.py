"""The queue of trials against a look at all of them, over random sweeps."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from stand_ins import a_trial

from greenexp.tuning.queue import TrialQueue


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
