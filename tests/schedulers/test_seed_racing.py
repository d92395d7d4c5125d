"""Seed racing: by hand, by brute force over made scores, and in a sweep of a few workers."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest
from scheduler_driving import drive, groups_of, scheduler_for
from stand_ins import Sweep, Workers
from told import tells

from greenexp.errors import InputError, ReplayError
from greenexp.records.decision import Action
from greenexp.schedulers import build, build_over_units
from greenexp.schedulers.seed_racing import SeedRacing

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP


def race(configurations=4, seeds=3, max_epochs=4, **settings):
    return scheduler_for("seed_racing", configurations, seeds=seeds, max_epochs=max_epochs, **settings)


def curves_of(groups, max_epochs, seed):
    """A level for each trial, reached at its last epoch but one; earlier and later values mislead."""
    rng = random.Random(seed)
    level = {trial: rng.randrange(8) / 8 for trials in groups.values() for trial in trials}
    return {
        trial: [rng.random() if epoch != max_epochs - 1 else value for epoch in range(1, max_epochs + 1)]
        for trial, value in level.items()
    }, level


def left_by_brute_force(groups, level, eta, first, seeds):
    """(configuration -> seeds it is given, by ranking means of whoever is left)."""
    left, given, done = list(groups), {}, first
    while done < seeds:
        given.update(dict.fromkeys(left, done))
        mean = {c: fmean(level[trial] for trial in groups[c][:done]) for c in left}
        best = sorted(left, key=lambda c: (-mean[c], c))[: max(1, math.floor(len(left) / eta))]
        left = [c for c in left if c in best]
        done = math.ceil(done * eta - 1e-9)
    return {**given, **dict.fromkeys(left, seeds)}


@pytest.mark.parametrize("workers", [1, 3, 50])
@pytest.mark.parametrize(("configurations", "seeds", "eta", "first"), [(8, 4, 2, 1), (9, 5, 3, 1), (6, 7, 2, 2)])
def test_the_race_is_the_rule_by_brute_force(configurations, seeds, eta, first, workers):
    groups, epochs = groups_of(configurations, seeds), 5
    curves, level = curves_of(groups, epochs, seed=configurations)
    scheduler = race(configurations, seeds, epochs, reduction_factor=eta, first_seeds=first)
    outcome = drive(scheduler, curves, workers=workers)
    expected = left_by_brute_force(groups, level, eta, first, seeds)
    for configuration, trials in groups.items():
        ended = [outcome.ended[trial] for trial in trials]
        given = expected[configuration]
        assert ended == [("finished", epochs)] * given + [("stopped", 1)] * (seeds - given)
    trained = sum(epochs for _, epochs in outcome.ended.values())
    assert trained == scheduler.expected_epochs.epochs
    assert scheduler.expected_epochs.exact


def test_the_rule_over_seeds_alone_gives_the_same():
    """What `simulate` uses: units are configurations, the resource is the seeds done, the value their mean."""
    groups, seeds = groups_of(8, 4), 4
    _, level = curves_of(groups, 5, seed=8)
    means = {c: [fmean(level[t] for t in trials[:n]) for n in range(1, seeds + 1)] for c, trials in groups.items()}
    scheduler = build_over_units({"name": "seed_racing"}, units=list(groups), resource=seeds, mode="max")
    outcome = drive(scheduler, means)
    expected = left_by_brute_force(groups, level, 2, 1, seeds)
    assert {c: seeds_done for c, (_, seeds_done) in outcome.ended.items()} == expected


def test_a_seed_whose_turn_has_not_come_is_held_and_then_released_or_stopped():
    scheduler = race(2, seeds=2)
    held = [scheduler.decide(f"c00{c}-i1", 1, 0.1).own for c in (0, 1)]
    assert [(v.action, v.rung, v.reason) for v in held] == [(PAUSE, 1, "its configuration does 1 seeds first")] * 2
    assert scheduler.decide("c000-i0", 1, 0.2).action is GO_ON
    assert scheduler.decide("c000-i0", 3, 0.2).verdicts[1:] == ()
    last = scheduler.decide("c001-i0", 3, 0.3)
    assert last.action is GO_ON, "it has but its last epoch to go"
    assert [(v.trial, v.action, v.value, v.cutoff) for v in last.others] == [
        ("c000-i1", STOP, 0.2, 0.3),
        ("c001-i1", GO_ON, 0.3, 0.3),
    ]
    assert tells(last.others[0].reason, "rank 2 of 2 … 1 … 1 of 2 seeds")
    with pytest.raises(ReplayError, match=r"0\.4 at epoch 3.*0\.3"):
        scheduler.decide("c001-i0", 3, 0.4)


def test_a_failed_seed_puts_its_configuration_last():
    scheduler = race(2, seeds=3)
    scheduler.decide("c000-i0", 3, 0.9)
    scheduler.decide("c000-i1", 1, 0.1)
    (stopped,) = scheduler.withdraw("c000-i0", "loss became nan")
    assert (stopped.trial, stopped.action, stopped.value) == ("c000-i1", STOP, None)
    assert scheduler.withdraw("c000-i0", "again") == ()
    scheduler.decide("c001-i0", 3, 0.1)
    assert scheduler.decide("c000-i2", 1, 0.5).action is STOP
    assert scheduler.decide("c001-i1", 1, 0.5).action is GO_ON
    assert scheduler.withdraw("c001-i2", "after the first rung") == ()


def test_a_value_that_is_no_number_ends_its_configuration():
    scheduler = race(2, seeds=2)
    assert scheduler.decide("c000-i0", 3, math.nan).action is STOP
    assert scheduler.decide("c000-i1", 1, 0.5).action is STOP


@pytest.mark.parametrize(
    ("groups", "epochs", "settings", "said"),
    [
        (groups_of(4, 1), 4, {}, "1 seeds.* 1;.*seeds.initialisation"),
        (groups_of(4, 2), 4, {"first_seeds": 2}, "seeds.initialisation.*first_seeds"),
        (groups_of(4, 2), 1, {}, "training.epochs is 1"),
        (groups_of(1, 2), 4, {}, "of 1 .*1/2"),
        ({"a": ["a0"], "b": ["b0", "b1"]}, 4, {}, "number of seeds"),
    ],
)
def test_a_race_that_could_stop_nobody_is_refused(groups, epochs, settings, said):
    with pytest.raises(InputError, match=said):
        build({"name": "seed_racing", **settings}, max_epochs=epochs, groups=groups, mode="max")


def test_nobody_joins_a_race():
    with pytest.raises(InputError, match="filled"):
        race().enter("c009", ["c009-i0"])
    with pytest.raises(ReplayError, match="groups differ"):
        race(4).restore(race(5).state())


def test_the_plan_counts_trials():
    (bracket,) = race(8, seeds=4, max_epochs=5).bracket_plan()
    assert bracket.units == 32
    assert [(r.epoch, r.entering, r.going_on) for r in bracket.rungs] == [(1, 32, 8 + 4 + 2 * 2)]
    assert bracket.epochs == 32 + 16 * 4
    assert SeedRacing().start([str(i) for i in range(8)], max_epochs=4).bracket_plan()[0].epochs == 16


@pytest.mark.parametrize("reports", [0, 17, 60, 120])
def test_a_race_in_a_sweep_goes_on_after_a_break(tmp_path, reports):
    """Through the journal and the conductor; later configurations are better at every seed."""
    racing = {"name": "seed_racing"}
    played = Sweep(tmp_path)
    for part in (reports, None):
        conductor = played.open(scheduler=racing, configurations=8, seeds=4, workers=3)
        Workers(conductor).play(part)
        conductor.close()
        conductor.journal.close()
    trials = conductor.state.trials
    finished = [
        sum(t.spec.configuration == f"c00{c}" and t.status == "finished" for t in trials.values()) for c in range(8)
    ]
    assert finished == [1, 1, 1, 1, 2, 2, 4, 4]
    assert conductor.state.complete
    assert {t.epoch for t in trials.values() if t.status == "stopped"} == {1}
    assert conductor.state.chosen[0].spec.configuration == "c007"
