"""Seeds of one configuration that share a worker: what the driver hands out, and what it makes of their reports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from stand_ins import a_record, a_trial

from greenexp.records.epoch import Costs
from greenexp.records.trial import TrialSpec
from greenexp.tuning import bridge
from greenexp.tuning.assignment import Assignment
from greenexp.tuning.bridge import Bridge, Feeder, TuneSession, WorkerEvents
from greenexp.tuning.checkpoints import checkpoint_folder
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.silence import Silence
from greenexp.tuning.taker import PausedTrial

FIFO = {"name": "fifo"}
HALVING = {"name": "sha", "reduction_factor": 3, "grace_period": 1}


class Tune:
    """Tune's part: its trials, each with what the feeder gave it."""

    def __init__(self, conductor: Conductor, workers: int) -> None:
        self.session = TuneSession(conductor)
        self.feeder, self.bridge = Feeder(self.session, fused=True), Bridge(self.session, workers)
        self.events = WorkerEvents(self.session)
        self.stopped: list[Any] = []

    def next(self) -> Any:
        config = self.feeder.suggest("any")
        if not isinstance(config, dict):
            return config
        trial = SimpleNamespace(config=config, status="RUNNING", latest_checkpoint_result=None, error_file=None)
        self.events.on_trial_start(0, [], trial)  # type: ignore[arg-type]
        return trial

    def report(self, trial: Any, epoch: int, score: float | None = None, **failures: str) -> str:
        """The epoch of all its seeds that have not ended."""
        results = {}
        for member in json.loads(trial.config["members"]):
            spec = TrialSpec.from_json(json.loads(member["spec"]))
            key = spec.trial.replace("-", "_")
            if self.session.conductor.state.trials[spec.trial].ended:
                continue
            if key in failures:
                results[spec.trial] = {
                    "failure": json.dumps({"reason": failures[key], "lost": dataclasses.asdict(Costs(0.1))})
                }
            else:
                results[spec.trial] = {"record": json.dumps(a_record(spec, epoch, score).to_json())}
        answer: str = self.bridge.on_trial_result(None, trial, {"trials": json.dumps(results)})
        return answer

    def pause(self, trial: Any, epoch: int, names: Sequence[str] | None = None, wall_s: float = 0.0) -> None:
        """All `names` are saved, None: those that have not ended."""
        states = self.session.conductor.state.trials
        saved = [name for name in trial.config["trials"] if not states[name].ended] if names is None else names
        costs = dataclasses.asdict(Costs(wall_s=wall_s))
        pairs = tuple((name, PausedTrial(checkpoint_folder(name, epoch), None, costs, epoch)) for name in saved)
        trial.latest_checkpoint_result = SimpleNamespace(metrics={"greenexp_checkpoint": pairs})
        self.events.on_trial_save(0, [], trial)


def test_a_worker_gets_all_seeds_of_a_configuration(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=3, seeds=3, workers=2)
    tune = Tune(conductor, 2)
    first, second = tune.next(), tune.next()
    assert [trial.config["trials"] for trial in (first, second)] == [
        [f"c{number:03d}-i{seed}-o0" for seed in range(3)] for number in (0, 1)
    ]
    assert tune.next() is None, "both workers have one"
    assert conductor.state.trials["c001-i2-o0"].status == "running"


def test_seeds_end_together_or_one_by_one(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=3, workers=1)
    tune = Tune(conductor, 1)
    trial = tune.next()
    assert tune.report(trial, 1, c000_i1_o0="loss became nan at optimiser step 7") == "CONTINUE"
    for epoch in range(2, 9):
        assert tune.report(trial, epoch) == "CONTINUE"
    assert tune.report(trial, 9) == "STOP"
    statuses = [trial.status for trial in conductor.state.trials.values()]
    assert statuses == ["finished", "failed", "finished"]
    assert conductor.close() == "finished"


def test_nobody_waits_for_word_of_a_seed_that_ended(
    opened: Callable[..., Conductor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others train on for longer than the limit; only when they are silent is their worker ended."""
    tune, now_s, killed = Tune(opened(scheduler=FIFO, configurations=1, seeds=2, workers=1), 1), [0.0], []
    tune.session.silence = Silence(100.0, clock=lambda: now_s[0])
    trial = tune.next()
    controller = SimpleNamespace(get_live_trials=lambda: [trial])
    monkeypatch.setattr(bridge, "kill_worker", lambda _, trial: not killed.append(trial))
    for epoch in range(1, 7):
        now_s[0] += 30.0
        tune.report(trial, epoch, **({"c000_i1_o0": "loss became nan"} if epoch == 1 else {}))
        tune.bridge._give_up_silent(controller)
    assert not killed
    now_s[0] += 101.0
    tune.bridge._give_up_silent(controller)
    assert killed == [trial]
    assert list(tune.session.given_up) == ["c000-i0-o0"]


@pytest.mark.parametrize("best", ["c000", "c002"])
def test_a_pause_is_of_all_and_they_are_handed_out_anew(opened: Callable[..., Conductor], best: str) -> None:
    """The last configuration to come to the rung needs no pause, as all its seeds are there at once."""
    conductor = opened(scheduler=HALVING, configurations=3, seeds=2, workers=1)
    tune = Tune(conductor, 1)
    answers = []
    for number in range(3):
        trial = tune.next()
        answers.append(tune.report(trial, 1, score=0.9 if f"c{number:03d}" == best else 0.5))
        if answers[-1] == "PAUSE":
            tune.pause(trial, 1)
    assert answers == ["PAUSE", "PAUSE", "CONTINUE" if best == "c002" else "STOP"]
    statuses = {name: trial.status for name, trial in conductor.state.trials.items()}
    assert {name for name, status in statuses.items() if status != "stopped"} == {f"{best}-i0-o0", f"{best}-i1-o0"}
    if best == "c000":
        promoted = tune.next()
        assert promoted.config["trials"] == ["c000-i0-o0", "c000-i1-o0"]
        members = json.loads(promoted.config["members"])
        assert [one["checkpoint"] for one in members] == [checkpoint_folder(one["trial"], 1) for one in members]


def test_what_is_stopped_before_its_save_arrives_gives_its_worker_back(opened: Callable[..., Conductor]) -> None:
    """Tune saves while it takes other workers' reports, of which the last one of a rung stops who is to be saved."""
    conductor = opened(scheduler=HALVING, configurations=3, seeds=2, workers=3)
    tune = Tune(conductor, 3)
    trials = [tune.next() for _ in range(3)]
    answers = [tune.report(trial, 1, score) for trial, score in zip(trials, (0.5, 0.4, 0.9), strict=True)]
    assert answers == ["PAUSE", "PAUSE", "CONTINUE"]
    for trial in trials[:2]:
        tune.pause(trial, 1, trial.config["trials"])
        assert {conductor.state.trials[name].status for name in trial.config["trials"]} == {"stopped"}
    assert conductor.live == set(trials[2].config["trials"])


def test_a_limit_that_is_reached_between_two_seeds_pauses_both(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=2, workers=1, limits={"epochs": 5.0})
    tune = Tune(conductor, 1)
    trial = tune.next()
    assert tune.report(trial, 1) == "CONTINUE"
    assert tune.report(trial, 2) == "PAUSE"
    tune.pause(trial, 2)
    while isinstance(rest := tune.next(), SimpleNamespace):
        assert rest.config["trials"] == ["c000-i0-o0"], "one epoch is left, which is for one of them"
        assert tune.report(rest, 3) == "PAUSE"
        tune.pause(rest, 3)
    assert conductor.limit is not None
    assert sum(len(trial.records) for trial in conductor.state.trials.values()) == 5


def test_a_limit_on_trials_cuts_the_group(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=2, seeds=3, workers=1, limits={"trials": 2.0})
    assert Tune(conductor, 1).next().config["trials"] == ["c000-i0-o0", "c000-i1-o0"]


def test_a_dead_worker_hands_all_of_its_seeds_out_again(opened: Callable[..., Conductor], tmp_path: Path) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=2, workers=1)
    tune = Tune(conductor, 1)
    trial = tune.next()
    tune.report(trial, 1)
    tune.events.on_trial_error(0, [], trial)
    assert {one.status for one in conductor.state.trials.values()} == {"interrupted"}
    again = tune.next()
    assert [member["attempt"] for member in json.loads(again.config["members"])] == [2, 2]
    (tmp_path / "error.txt").write_text("ray.exceptions.OutOfMemoryError: Task was killed")
    again.error_file = str(tmp_path / "error.txt")
    conductor.max_failures = 9
    tune.events.on_trial_error(0, [], again)
    apart = tune.next()
    assert apart.config["trials"] == ["c000-i0-o0"], "together they had too little memory"
    assert json.loads(apart.config["members"])[0]["at_once"] is None


def test_the_seconds_of_a_dead_worker_are_lost_once(
    opened: Callable[..., Conductor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its seeds have equal parts: of those that were still there, and that of one that fails for good for it, too."""
    conductor = opened(scheduler=FIFO, configurations=1, seeds=3, workers=1)
    tune = Tune(conductor, 1)
    trial = tune.next()
    tune.report(trial, 1, c000_i1_o0="loss became nan")
    states = conductor.state.trials
    dead_at = max(one.last_seen for one in states.values()) + 12.0
    unseen = {name: dead_at - one.last_seen for name, one in states.items() if not one.ended}
    monkeypatch.setattr(conductor.journal, "now", lambda: dead_at)
    conductor.max_failures = 0
    tune.events.on_trial_error(0, [], trial)
    assert [one.status for one in states.values()] == ["failed"] * 3
    assert {name: states[name].lost_wall_s for name in unseen} == {name: one / 2 for name, one in unseen.items()}


def test_ctrl_c_pauses_and_a_later_session_goes_on_with_all(opened: Callable[..., Conductor]) -> None:
    tune = Tune(opened(scheduler=FIFO, configurations=1, seeds=5, workers=1), 1)
    trial = tune.next()
    tune.session.conductor.drain()
    assert tune.report(trial, 1) == "PAUSE"
    tune.pause(trial, 1)
    tune.session.conductor.close()
    later = Tune(opened(scheduler=FIFO, configurations=1, seeds=5, workers=1), 1)
    assert later.next().config["trials"] == [f"c000-i{seed}-o0" for seed in range(5)]


def test_seeds_at_other_places_or_in_smaller_batches_go_alone(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler=FIFO, configurations=1, seeds=3, workers=3)
    first = conductor.next_trial()
    assert isinstance(first, Assignment)
    name = first.spec.trial
    conductor.reserve(name)
    conductor.started(name, 1, 0)
    conductor.paused(name, 1, 1, "checkpoints/x", {"wall_s": 0.0}, parked=False)
    tune = Tune(conductor, 3)
    groups = [tune.next().config["trials"], tune.next().config["trials"]]
    assert groups == [["c000-i0-o0"], ["c000-i1-o0", "c000-i2-o0"]]


def test_costs_of_a_seed_that_paused_before_its_first_report_count_once(opened: Callable[..., Conductor]) -> None:
    """One after the other for want of memory: a sibling reported, and all of the group were saved."""
    conductor = opened(scheduler=FIFO, configurations=1, seeds=1, workers=1)
    tune = Tune(conductor, 1)
    tune.pause(tune.next(), 0, wall_s=50.0)
    (member,) = json.loads(tune.next().config["members"])
    known = conductor.state.trials["c000-i0-o0"]
    assert member["checkpoint"] is None, "its costs would be reported once more"
    assert (known.lost_wall_s, known.attempts) == (50.0, 1)


def test_a_single_seed_is_a_group_of_one(opened: Callable[..., Conductor]) -> None:
    tune = Tune(opened(scheduler=FIFO, configurations=2, seeds=1, workers=1), 1)
    trial = tune.next()
    assert trial.config["trials"] == ["c000-i0-o0"]
    assert tune.report(trial, 1) == "CONTINUE"
    assert dataclasses.asdict(a_trial(0, 0, 1).seeds) == {"initialisation": 0, "order": 0}
