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
from greenexp.schedulers import build
from greenexp.schedulers.seed_racing import SeedRacing

GO_ON, STOP = Action.GO_ON, Action.STOP


def race(configurations=4, seeds=3, max_epochs=4, **settings):
    return scheduler_for("seed_racing", configurations, seeds=seeds, max_epochs=max_epochs, **settings)


def curves_of(groups, max_epochs, seed):
    """A level for each trial, reached at its last epoch; earlier values mislead."""
    rng = random.Random(seed)
    level = {trial: rng.randrange(8) / 8 for trials in groups.values() for trial in trials}
    return {trial: [rng.random() for _ in range(max_epochs - 1)] + [value] for trial, value in level.items()}, level


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
@pytest.mark.parametrize("epochs", [1, 5])
@pytest.mark.parametrize(("configurations", "seeds", "eta", "first"), [(8, 4, 2, 1), (9, 5, 3, 1), (6, 7, 2, 2)])
def test_the_race_is_the_rule_by_brute_force(configurations, seeds, eta, first, epochs, workers):
    groups = groups_of(configurations, seeds)
    curves, level = curves_of(groups, epochs, seed=configurations)
    scheduler = race(configurations, seeds, epochs, reduction_factor=eta, first_seeds=first)
    outcome = drive(scheduler, curves, workers=workers)
    expected = left_by_brute_force(groups, level, eta, first, seeds)
    for configuration, trials in groups.items():
        ended = [outcome.ended[trial] for trial in trials]
        given = expected[configuration]
        assert ended == [("finished", epochs)] * given + [("stopped", 0)] * (seeds - given)
    trained = sum(epochs for _, epochs in outcome.ended.values())
    assert trained == scheduler.expected_epochs.epochs
    assert scheduler.expected_epochs.exact
    assert not scheduler.needs_pausing


def test_a_seed_whose_turn_has_not_come_does_not_begin():
    scheduler = race(2, seeds=2)
    assert [scheduler.may_begin(f"c00{c}-i{s}") for c in (0, 1) for s in (0, 1)] == [True, False, True, False]
    assert scheduler.finish("c000-i0", 4, 0.2) == ()
    given_up, joins = scheduler.finish("c001-i0", 4, 0.3)
    assert (given_up.trial, given_up.action, given_up.value, given_up.cutoff) == ("c000-i1", STOP, 0.2, 0.3)
    assert (joins.trial, joins.action, joins.value, joins.cutoff) == ("c001-i1", GO_ON, 0.3, 0.3)
    assert {(v.rung, v.seeds, v.noise) for v in (given_up, joins)} == {(4, 1, None)}
    assert tells(given_up.reason, "stopped … rank 2 of 2 … 1")
    assert not scheduler.may_begin("c000-i1")
    assert scheduler.may_begin("c001-i1")
    with pytest.raises(ReplayError, match="c002"):
        scheduler.may_begin("c002-i0")


@pytest.mark.parametrize("ask", ["decide", "finish"])
def test_a_seed_that_trained_before_its_turn_is_refused(ask):
    with pytest.raises(ReplayError, match=r"c000-i1.*turn"):
        getattr(race(2, seeds=2), ask)("c000-i1", 1, 0.5)


def test_a_failed_seed_puts_its_configuration_last():
    scheduler = race(2, seeds=3)
    stopped = scheduler.withdraw("c000-i0", "loss became nan")
    assert [(v.trial, v.action, v.value) for v in stopped] == [("c000-i1", STOP, None), ("c000-i2", STOP, None)]
    assert scheduler.withdraw("c000-i0", "again") == ()
    (joins,) = scheduler.finish("c001-i0", 4, 0.1)
    assert joins.trial == "c001-i1"
    (joins,) = scheduler.finish("c001-i1", 4, 0.1)
    assert joins.trial == "c001-i2", "the next rung, which it has alone"
    assert scheduler.withdraw("c001-i2", "after the last rung") == ()


def test_a_seed_that_runs_when_its_configuration_is_stopped_stops_at_its_next_report():
    scheduler = race(2, seeds=4, first_seeds=2)
    assert scheduler.decide("c000-i1", 1, 0.5).action is GO_ON
    assert [v.trial for v in scheduler.withdraw("c000-i0", "died")] == ["c000-i1", "c000-i2", "c000-i3"]
    late = scheduler.decide("c000-i1", 2, 0.5)
    assert (late.action, late.own.rung) == (STOP, None), "its verdict is on record already"
    assert scheduler.finish("c000-i1", 4, 0.5) == ()


def test_a_value_that_is_no_number_ends_its_configuration():
    scheduler = race(2, seeds=2)
    (given_up,) = scheduler.finish("c000-i0", 4, math.nan)
    assert (given_up.trial, given_up.action) == ("c000-i1", STOP)
    assert "nan" in given_up.reason


@pytest.mark.parametrize(
    ("groups", "epochs", "settings", "said"),
    [
        (groups_of(4, 1), 4, {}, "1 seeds.* 1;.*seeds.initialisation"),
        (groups_of(4, 2), 4, {"first_seeds": 2}, "seeds.initialisation.*first_seeds"),
        (groups_of(1, 2), 4, {}, "of 1 .*1/2"),
        ({"a": ["a0"], "b": ["b0", "b1"]}, 4, {}, "number of seeds"),
    ],
)
def test_a_race_that_could_stop_nobody_is_refused(groups, epochs, settings, said):
    with pytest.raises(InputError, match=said):
        build({"name": "seed_racing", **settings}, max_epochs=epochs, groups=groups, mode="max")


def test_nobody_joins_a_race():
    with pytest.raises(InputError, match="cannot join"):
        race().enter("c009", ["c009-i0", "c009-i1", "c009-i2"])
    with pytest.raises(ReplayError, match="groups differ"):
        race(4).restore(race(5).state())


def test_the_plan_counts_configurations_and_seeds():
    (bracket,) = race(8, seeds=4, max_epochs=5).bracket_plan()
    assert (bracket.units, bracket.max_epochs, bracket.seeds) == (8, 5, 4)
    assert [(r.epoch, r.seeds, r.entering, r.going_on) for r in bracket.rungs] == [(5, 1, 8, 4), (5, 2, 4, 2)]
    assert bracket.begun == 8 + 4 + 2 * 2
    assert bracket.epochs == 16 * 5
    assert SeedRacing().start([str(i) for i in range(8)], max_epochs=4).bracket_plan()[0].epochs == 16


@pytest.mark.parametrize("reports", [0, 17, 60, 120])
def test_a_race_in_a_sweep_goes_on_after_a_break(tmp_path, reports):
    """Through the journal and the conductor; later configurations are better at every seed."""
    racing = {"name": "seed_racing"}
    played = Sweep(tmp_path)
    for part in (reports, None):
        conductor = played.open(scheduler=racing, configurations=8, seeds=4, workers=3)
        Workers(conductor).play(part)
        assert conductor.close() == ("interrupted" if part is not None else "finished")
        conductor.journal.close()
    trials = conductor.state.trials
    finished = [
        sum(t.spec.configuration == f"c00{c}" and t.status == "finished" for t in trials.values()) for c in range(8)
    ]
    assert finished == [1, 1, 1, 1, 2, 2, 4, 4]
    assert conductor.state.complete
    given_up = [t for t in trials.values() if t.status == "stopped"]
    assert len(given_up) == 32 - sum(finished)
    assert {(t.epoch, t.attempts) for t in given_up} == {(0, 0)}
    assert all(t.reason for t in given_up)
    assert conductor.state.chosen[0].spec.configuration == "c007"
