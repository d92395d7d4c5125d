"""The rules of one_epoch and median, by brute force and by hand, and what a plan expects of them."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of, scheduler_for

from greenexp.errors import InputError
from greenexp.records.decision import Action
from greenexp.schedulers import build
from greenexp.schedulers.asha_promotion import AshaPromotion
from greenexp.schedulers.median import Median
from greenexp.schedulers.one_epoch import OneEpoch

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP
several = settings(max_examples=60, deadline=None)
values = st.integers(0, 8).map(lambda i: i / 8)


# ----------------------------------------------------------------------------------------------------------- one_epoch


@several
@given(
    st.lists(st.one_of(values, st.just(math.nan)), min_size=3, max_size=12),
    st.integers(1, 2),
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.sampled_from(["max", "min"]),
)
def test_the_best_few_after_the_first_epoch_train_to_the_end(first, keep, workers, seed, mode):
    scheduler = scheduler_for("one_epoch", len(first), max_epochs=4, keep=keep, mode=mode)
    curves = {f"c{i:03d}-i0": [value, 9.0, -9.0, 0.0] for i, value in enumerate(first)}
    ended = drive(scheduler, curves, workers=workers, seed=seed).ended
    sign = 1 if mode == "max" else -1
    ranked = sorted((i for i, value in enumerate(first) if not math.isnan(value)), key=lambda i: (-sign * first[i], i))
    expected = {f"c{i:03d}-i0": ("finished", 4) if i in ranked[:keep] else ("stopped", 1) for i in range(len(first))}
    assert ended == expected


def test_one_epoch_says_what_it_will_do():
    (bracket,) = scheduler_for("one_epoch", 12, max_epochs=9, grace_period=2).bracket_plan()
    assert bracket.exact
    assert [(rung.epoch, rung.entering, rung.going_on) for rung in bracket.rungs] == [(2, 12, 3)]
    assert bracket.epochs == 12 * 2 + 3 * 7


@pytest.mark.parametrize(
    ("chosen", "configurations", "epochs", "reason"),
    [
        ({"keep": 4}, 4, 9, "keep 4 .* 4;"),
        ({"grace_period": 3}, 9, 3, "grace_period 3.* 3;.*training.epochs"),
        ({"keep": 0}, 9, 9, "keep"),
    ],
)
def test_one_epoch_that_could_stop_nobody_is_refused(chosen, configurations, epochs, reason):
    with pytest.raises(InputError, match=reason):
        scheduler_for("one_epoch", configurations, max_epochs=epochs, **chosen)
    if "keep" not in chosen or chosen["keep"]:
        with pytest.raises(InputError, match=reason):
            OneEpoch(**chosen).start([str(i) for i in range(configurations)], max_epochs=epochs)


# -------------------------------------------------------------------------------------------------------------- median


@several
@given(
    st.lists(st.lists(values, min_size=7, max_size=7), min_size=3, max_size=10),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.sampled_from(["max", "min"]),
    st.floats(0, 0.5),
)
def test_the_median_rule_by_brute_force(curves, grace, least, workers, seed, mode, failing):
    scheduler = scheduler_for("median", len(curves), max_epochs=7, grace_period=grace, min_units=least, mode=mode)
    rng = random.Random(seed)
    named = {f"c{i:03d}-i0": curve for i, curve in enumerate(curves)}
    fails = {name: rng.randint(1, 7) for name in named if rng.random() < failing}
    outcome = drive(scheduler, named, workers=workers, seed=seed, fails=fails)
    sign = 1 if mode == "max" else -1
    seen = {name: [] for name in named}
    for verdict in outcome.verdicts:
        if verdict.rung is None:
            continue
        curve = seen[verdict.trial]
        curve.append(sign * named[verdict.trial][verdict.rung - 1])
        assert len(curve) == verdict.rung - grace + 1, "an epoch is judged once, in order"
        others = [np.mean(v[: len(curve)]) for n, v in seen.items() if n != verdict.trial and len(v) >= len(curve)]
        below = len(others) >= least and max(curve) < np.median(others) - 1e-12
        assert verdict.action is (STOP if below else GO_ON)
    finished = [name for name, (how, _) in outcome.ended.items() if how == "finished"]
    assert finished or fails


def test_the_median_rule_waits_for_enough_others_and_for_its_grace_period():
    median = scheduler_for("median", 6, grace_period=2)
    for i in range(3):
        assert median.decide(f"c{i:03d}-i0", 1, 0.1).own.rung is None
        assert median.decide(f"c{i:03d}-i0", 2, 0.5 + i / 10).action is GO_ON
    assert median.decide("c003-i0", 2, 0.59).action is STOP
    said = median.decide("c004-i0", 2, 0.595)
    assert (said.action, said.own.cutoff) == (GO_ON, pytest.approx((0.59 + 0.6) / 2))
    assert median.decide("c005-i0", 2, 0.6).own.cutoff == pytest.approx(0.595)


def test_equal_curves_are_not_stopped_by_rounding():
    for value in (0.1, 0.3, 0.7, 1 / 3):
        scheduler = scheduler_for("median", 8, max_epochs=12)
        outcome = drive(scheduler, {f"c{i:03d}-i0": [value] * 12 for i in range(8)}, workers=3)
        assert {how for how, _ in outcome.ended.values()} == {"finished"}


def test_the_median_rule_judges_the_mean_of_the_seeds():
    trials = {f"c{i:03d}-i{s}": [0.5 + 0.1 * i + (0.3 if s else -0.3)] * 4 for i in range(5) for s in range(2)}
    scheduler = build({"name": "median"}, max_epochs=4, groups=groups_of(5, 2), mode="max")
    turned = {trial: trials[trial] for trial in sorted(trials, reverse=True)}
    ended = drive(scheduler, turned, workers=1, seed=3).ended
    for i in range(5):
        assert ended[f"c{i:03d}-i0"] == ended[f"c{i:03d}-i1"]
    assert ended["c004-i0"] == ("finished", 4)


@pytest.mark.parametrize(
    ("chosen", "configurations", "epochs", "reason"),
    [
        ({}, 3, 9, "at least 3 others.*at least 4"),
        ({"grace_period": 9}, 9, 9, "grace_period 9.* 9;"),
        ({"min_units": 0}, 9, 9, "min_units"),
    ],
)
def test_a_median_rule_that_could_stop_nobody_is_refused(chosen, configurations, epochs, reason):
    with pytest.raises(InputError, match=reason):
        scheduler_for("median", configurations, max_epochs=epochs, **chosen)


# ---------------------------------------------------------------------------------------------------- what is expected


def mean_epochs(kind, units, max_epochs, repeats, order):
    """Epochs of all units, by driving one worker's order: `order` gives the unit that trains next."""
    total = 0
    for seed in range(repeats):
        rng = random.Random(f"{seed}/{units}")
        run = kind.start([str(i) for i in range(units)], max_epochs=max_epochs)
        value = {str(i): rng.random() for i in range(units)}
        reached, left = dict.fromkeys(value, 0), list(value)
        while left:
            unit = left.pop(order(left, reached))
            place = run.next_rung(unit)
            reached[unit] = max_epochs if place is None else place.epoch
            if place is not None:
                left += [v.unit for v in run.arrive(unit, value[unit]) if v.go_on]
        total += sum(reached.values())
    return total / repeats


@pytest.mark.parametrize(
    ("kind", "units", "epochs"),
    [(AshaPromotion(), 27, 27), (AshaPromotion(reduction_factor=2), 12, 9), (Median(), 20, 6)],
)
def test_a_plan_expects_what_units_that_keep_their_order_train(kind, units, epochs):
    """Whoever has trained least goes next, the earliest of them first."""
    (bracket,) = kind.start([str(i) for i in range(units)], max_epochs=epochs).bracket_plan()

    def least(left, reached):
        return min(range(len(left)), key=lambda i: reached[left[i]])

    assert not bracket.exact
    assert bracket.epochs == pytest.approx(mean_epochs(kind, units, epochs, 300, least), rel=0.06)
    assert [rung.entering for rung in bracket.rungs[1:]] == [rung.going_on for rung in bracket.rungs[:-1]]
    assert bracket == kind.start([str(i) for i in range(units)], max_epochs=epochs).bracket_plan()[0]


@pytest.mark.parametrize("name", ["asha", "asha_promotion", "median", "pasha"])
def test_a_scheduler_to_which_one_has_come_so_far_says_what_it_will_do(name):
    scheduler = build({"name": name}, max_epochs=9, groups={"c000": ["a", "b"]}, mode="max", later=8)
    (bracket,) = scheduler.bracket_plan()
    assert (bracket.units, bracket.epochs) == (1, 9)
    assert scheduler.needs_pausing
