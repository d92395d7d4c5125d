"""The conductor: who runs, what stops, and what a killed driver leaves behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from stand_ins import ASHA, EPOCHS, Sweep, Workers, a_record, a_scheduler, a_trial, curve

from greenexp.errors import ReplayError
from greenexp.journal.state import SweepState
from greenexp.records.decision import Action
from greenexp.records.history import LimitReached
from greenexp.records.trial import TrialSpec
from greenexp.tuning.assignment import Assignment, NoTrial
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.replay import rebuild

Open = Callable[..., Conductor]


def statuses(state: SweepState) -> Counter[str]:
    return Counter(trial.status for trial in state.trials.values())


def test_fifo_trains_everything_to_the_end(opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"})
    workers = Workers(conductor)
    workers.play()
    assert conductor.close() == "finished"
    assert statuses(conductor.state) == {"finished": 12}
    assert len(workers.ran) == len(set(workers.ran)) == 12 * EPOCHS


def test_never_more_trials_at_once_than_workers(opened: Open) -> None:
    conductor = opened(workers=3)
    handed_out = []
    while isinstance(assignment := conductor.next_trial(), Assignment):
        conductor.reserve(assignment.spec.trial)
        handed_out.append(assignment.spec.trial)
    assert handed_out == ["c000-i0-o0", "c000-i1-o0", "c001-i0-o0"]
    assert assignment is NoTrial.WAIT


def later_ones_worse(trial: TrialSpec, epoch: int) -> float:
    return 1 - curve(trial, EPOCHS - epoch)


PROMOTING = ["asha_promotion", "pasha"]
OTHERS = {"median": {}, "one_epoch": {"keep": 2}}
"""Schedulers without a reduction factor."""


@pytest.mark.parametrize("name", ["asha", "sha", "hyperband", *PROMOTING])
def test_seeds_of_a_configuration_stop_together(opened: Open, name: str) -> None:
    conductor = opened(scheduler={"name": name, "reduction_factor": 3}, configurations=9)
    workers = Workers(conductor)
    workers.play()
    assert conductor.close() == "finished"
    assert statuses(conductor.state)["stopped"] > 0 or name == "asha"
    for configuration in range(9):
        epochs = {conductor.state.trials[f"c{configuration:03d}-i{seed}-o0"].epoch for seed in (0, 1)}
        assert len(epochs) == 1, f"the seeds of configuration {configuration} trained {epochs} epochs"
    assert len(workers.ran) == len(set(workers.ran)), "an epoch was trained twice"


def test_a_failed_seed_stops_its_configuration_and_nobody_waits_for_it(opened: Open) -> None:
    conductor = opened(scheduler={"name": "sha", "reduction_factor": 3}, configurations=6)
    Workers(conductor, fail={"c005-i0-o0": 2}).play()
    assert conductor.close() == "finished"
    assert conductor.state.trials["c005-i0-o0"].status == "failed"
    assert conductor.state.trials["c005-i1-o0"].status == "stopped"
    assert "failed" in conductor.state.trials["c005-i1-o0"].reason
    assert any(trial.status == "finished" for trial in conductor.state.trials.values())


@pytest.mark.parametrize("scheduler", ["fifo", "asha", "sha", "hyperband", *PROMOTING, *OTHERS])
@pytest.mark.parametrize("reports", [1, 2, 3, 7, 12, 20, 33])
def test_killed_at_any_report_and_resumed_trains_the_same(opened: Open, scheduler: str, reports: int) -> None:
    settings = {"name": scheduler, **OTHERS.get(scheduler, {})}
    settings |= {} if scheduler in {"fifo", *OTHERS} else {"reduction_factor": 3}
    first = opened(scheduler=settings, configurations=9)
    Workers(first).play(reports)
    before = {name: (trial.status, trial.epoch) for name, trial in first.state.trials.items() if trial.ended}
    second = opened(scheduler=settings, configurations=9)
    assert not any(trial.status == "running" for trial in second.state.trials.values())
    Workers(second).play()
    assert second.close() == "finished"
    for name, end in before.items():
        trial = second.state.trials[name]
        assert (trial.status, trial.epoch) == end, "an ended trial was touched"
        assert trial.attempts == 1
    for trial in second.state.trials.values():
        assert sorted(trial.records) == list(range(1, trial.epoch + 1)), "an epoch is missing"
        assert trial.attempts <= 2


@pytest.mark.parametrize("name", [*PROMOTING, *OTHERS])
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_driver_killed_after_any_event_comes_to_the_same_sweep(
    sweep: Sweep, opened: Open, name: str, seeds: int
) -> None:
    settings = {"name": name, **OTHERS.get(name, {})}
    fail = {"c000-i0-o0": 2}
    whole = opened(scheduler=settings, configurations=9, seeds=seeds)
    Workers(whole, fail=fail, score=later_ones_worse).play()
    assert whole.close() == "finished"
    ends = {name: (trial.status, trial.epoch) for name, trial in whole.state.trials.items()}
    assert {how for how, _ in ends.values()} == {"finished", "stopped", "failed"}
    whole.journal.close()
    lines = whole.journal.path.read_bytes().splitlines(keepends=True)
    for cut in range(11 + 9 * seeds, len(lines), 7):
        whole.journal.path.write_bytes(b"".join(lines[:cut]))
        again = opened(scheduler=settings, configurations=9, seeds=seeds)
        Workers(again, fail=fail, score=later_ones_worse).play()
        assert again.close() == "finished"
        assert {name: (trial.status, trial.epoch) for name, trial in again.state.trials.items()} == ends, cut
        again.journal.close()


def test_what_was_promoted_at_the_highest_rung_goes_on_first(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"name": "asha_promotion", "reduction_factor": 2}
    conductor = opened(scheduler=settings, configurations=12, workers=2)
    Workers(conductor).play(40)
    conductor.workers = 99
    monkeypatch.setattr("greenexp.tuning.conductor.waits", lambda trial: False)  # as if all were released at once
    ready = [conductor.state.trials[name] for name in conductor.releasable()]
    assert len({trial.epoch for trial in ready}) > 1
    assert ready == sorted(ready, key=lambda trial: (-trial.epoch, trial.spec.index))
    resumed = opened(scheduler=settings, configurations=12, workers=99)
    first = resumed.next_trial()
    assert isinstance(first, Assignment)
    assert resumed.state.trials[first.spec.trial].epoch == max(trial.epoch for trial in resumed.state.trials.values())


def test_a_synchronous_sweep_ends_the_same_whether_or_not_it_was_killed(opened: Open) -> None:
    settings = {"name": "sha", "reduction_factor": 3}
    Workers(opened(scheduler=settings, configurations=9)).play(17)
    resumed = opened(scheduler=settings, configurations=9)
    Workers(resumed).play()
    # Higher configurations are better at every epoch: 9 enter, 3 go on, 1 finishes.
    survivors = {trial.spec.configuration for trial in resumed.state.trials.values() if trial.status == "finished"}
    assert survivors == {"c008"}
    assert {t.spec.configuration for t in resumed.state.trials.values() if t.epoch >= 3} == {"c006", "c007", "c008"}


def test_a_repeated_epoch_is_journaled_but_not_decided_again(opened: Open) -> None:
    conductor = opened(seeds=1)
    workers = Workers(conductor)
    workers.play(5)
    decided = sum(event.kind == "decision" for event in conductor.journal.events)
    name = workers.ran[0][0]
    trial = conductor.state.trials[name]
    action = conductor.report(name, 2, a_record(trial.spec, 1))
    assert action is (Action.STOP if trial.ended else Action.GO_ON)
    assert sum(event.kind == "decision" for event in conductor.journal.events) == decided
    assert [attempt for attempt, _, record in trial.reports if record.epoch == 1] == [1, 2]


def test_a_worker_that_dies_costs_an_attempt_and_its_time(opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"}, configurations=1, seeds=1)
    Workers(conductor).play(2)
    conductor.worker_died("c000-i0-o0", 1, "the worker died")
    trial = conductor.state.trials["c000-i0-o0"]
    assert trial.status == "interrupted"
    assert trial.lost_wall_s > 0
    again = conductor.next_trial()
    assert isinstance(again, Assignment)
    assert (again.attempt, again.checkpoint) == (2, None)


def test_draining_pauses_at_the_next_report_and_resuming_goes_on_from_there(opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"})
    workers = Workers(conductor)
    workers.play(6)
    conductor.drain()
    workers.play()
    assert conductor.close() == "interrupted"
    assert statuses(conductor.state) == {"paused": 2, "planned": 10}
    resumed = opened(scheduler={"name": "fifo"})
    again = Workers(resumed)
    again.play()
    assert resumed.close() == "finished"
    assert not set(again.ran) & set(workers.ran), "an epoch that was saved was trained again"
    assert all(trial.attempts == 1 for trial in resumed.state.trials.values())


def test_replay_reproduces_every_decision_and_refuses_a_journal_that_says_otherwise(opened: Open) -> None:
    conductor = opened(configurations=9)
    Workers(conductor).play()
    events = conductor.journal.events
    trials = [a_trial(c, s, 2) for c in range(9) for s in range(2)]
    assert rebuild(a_scheduler(ASHA, trials), events) == ()
    at = next(i for i, event in enumerate(events) if event.kind == "decision" and event.data["action"] == "go_on")
    lie = type(events[at])(at, events[at].time, "decision", {**events[at].data, "action": "stop"})
    with pytest.raises(ReplayError, match=f"event {at}"):
        rebuild(a_scheduler(ASHA, trials), [*events[:at], lie, *events[at + 1 :]])
    with pytest.raises(ReplayError, match="lacks the decision"):
        rebuild(a_scheduler(ASHA, trials), [*events[:at], *events[at + 2 :]])


def test_a_decision_lost_in_a_crash_is_taken_again_on_resuming(opened: Open, tmp_path: Path) -> None:
    conductor = opened(configurations=9)
    Workers(conductor).play()
    path = conductor.journal.path
    decisions = [event.number for event in conductor.journal.events if event.kind == "decision"]
    conductor.journal.close()
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(decisions) > 18, "every trial is judged, some at two rungs"
    for at in decisions:
        path.write_bytes(b"".join(lines[:at]))
        resumed = opened(configurations=9)
        assert resumed.journal.events[at].kind == "session"
        again = json.loads(resumed.journal.events[at + 1].to_line())
        lost = json.loads(lines[at])
        assert {**again, "n": 0, "t": 0, "check": ""} == {**lost, "n": 0, "t": 0, "check": ""}


def test_the_time_between_sessions_is_at_nobodys_expense(sweep: Sweep, opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"})
    Workers(conductor).play(4)
    conductor.journal.close()
    elapsed_s = conductor.state.elapsed_s
    for _ in range(10_000):
        sweep.clock()
    sweep.spec["budget"] = {"epochs": 1000}  # a changed section is written before the session begins
    again = opened(scheduler={"name": "fifo"})
    assert again.state.elapsed_s <= elapsed_s + 2


@pytest.mark.parametrize(
    ("limits", "axis", "reports"),
    [({"epochs": 7}, "epochs", 7), ({"train_flops": 5e9}, "train_flops", 5), ({"cpu_s": 4.6}, "cpu_s", 5)],
)
def test_a_limit_is_kept_said_and_can_be_raised(
    opened: Open, limits: dict[str, float], axis: str, reports: int
) -> None:
    conductor = opened(scheduler={"name": "fifo"}, limits=limits)
    workers = Workers(conductor)
    workers.play()
    assert conductor.close() == "limit"
    assert conductor.state.limit is not None
    assert conductor.state.limit.axis == axis
    assert len(workers.ran) == reports
    again = opened(scheduler={"name": "fifo"}, limits={axis: 1e12})
    more = Workers(again)
    more.play()
    assert again.close() == "finished"
    assert not set(more.ran) & set(workers.ran)


def test_the_limit_on_trials_starts_no_more_and_finishes_those_it_started(opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"}, limits={"trials": 3})
    Workers(conductor).play()
    assert conductor.close() == "limit"
    assert statuses(conductor.state) == {"finished": 3, "planned": 9}
    assert conductor.state.limit == LimitReached("trials", 3.0, 3)


def test_the_limit_on_wall_clock_counts_elapsed_time(opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"}, limits={"wall_s": 30.0})  # the clock ticks once per event
    Workers(conductor).play()
    assert conductor.close() == "limit"
    assert conductor.state.limit is not None
    assert conductor.state.limit.axis == "wall_s"
    assert conductor.state.elapsed_s <= 30.0 + 12.0


def test_a_worker_may_die_only_so_often(opened: Open) -> None:
    conductor = opened(scheduler={"name": "sha", "reduction_factor": 3})
    workers = Workers(conductor)
    workers.play(2)
    name = next(iter(workers.running))
    for attempt, status in ((1, "interrupted"), (2, "failed")):
        workers._fill()
        while name not in workers.running:
            workers.play(1)
            workers._fill()
        del workers.running[name]
        conductor.worker_died(name, attempt, "out of memory")
        assert conductor.state.trials[name].status == status
    workers.play()
    assert conductor.close() == "finished", "nobody may wait for it"


def test_a_trial_that_was_stopped_while_its_worker_died_stays_stopped(opened: Open) -> None:
    conductor = opened(scheduler={"name": "sha", "reduction_factor": 3}, configurations=9)
    workers = Workers(conductor)
    workers.play(18)
    trial = next(trial for trial in conductor.state.trials.values() if trial.status == "stopped")
    conductor.worker_died(trial.spec.trial, 1, "killed while it was being saved")
    conductor.started(trial.spec.trial, 1, trial.epoch)
    assert trial.status == "stopped"
    assert conductor.report(trial.spec.trial, 1, a_record(trial.spec, trial.epoch)) is Action.STOP
    assert trial.status == "stopped"


def test_a_checkpoint_that_cannot_be_read_costs_an_attempt(opened: Open) -> None:
    conductor = opened(scheduler={"name": "sha", "reduction_factor": 3})
    Workers(conductor).play(1)
    trial = conductor.state.trials["c000-i0-o0"]
    conductor.paused(trial.spec.trial, 1, 1, "checkpoints/c000-i0-o0/epoch-1", {"wall_s": 0.0})
    conductor.started(trial.spec.trial, 1, 1)
    conductor.restarted(trial.spec.trial, 1, "begun anew: the checkpoint is incomplete")
    assert (trial.attempts, trial.checkpoint, trial.status) == (2, None, "running")
    assert trial.broken == 0


def test_an_axis_that_stops_being_measured_ends_a_sweep_it_limits(opened: Open) -> None:
    conductor = opened(scheduler={"name": "fifo"}, limits={"gpu_s": 100.0})
    Workers(conductor).play()
    assert conductor.close() == "limit"
    assert conductor.state.limit is not None
    assert conductor.state.limit.used is None


def test_a_listener_whose_terminal_is_gone_does_not_end_the_sweep(opened: Open) -> None:
    def broken(_event: object) -> None:
        raise BrokenPipeError

    conductor = opened(scheduler={"name": "fifo"}, configurations=1)
    conductor.listen = broken
    Workers(conductor).play()
    assert conductor.close() == "finished"


def test_trials_that_still_run_at_the_end_say_why(opened: Open) -> None:
    conductor = opened()
    assignment = conductor.next_trial()
    assert isinstance(assignment, Assignment)
    conductor.started(assignment.spec.trial, 1, 0)
    assert conductor.close("the sweep broke off: no space left") == "interrupted"
    assert conductor.state.trials[assignment.spec.trial].reason == "the sweep broke off: no space left"


def test_a_trial_whose_node_leaves_has_not_failed(opened: Callable[..., Conductor]) -> None:
    conductor = opened(scheduler={"name": "fifo"}, configurations=1, seeds=1)
    assert conductor.max_failures == 1
    for attempt in range(1, 5):
        found = conductor.next_trial()
        assert isinstance(found, Assignment)
        assert found.attempt == attempt
        name = found.spec.trial
        conductor.started(name, attempt, 0)
        conductor.worker_died(name, attempt, "its node will be taken away", saved=True)
    trial = conductor.state.trials[name]
    assert (trial.status, trial.lost_wall_s, trial.broken) == ("interrupted", 0.0, 0)
