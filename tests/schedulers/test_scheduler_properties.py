"""What holds for any sweep: no deadlock, seeds together, exact counts, no dependence on accidents, exact restore."""

from __future__ import annotations

import json
import math
import random
from statistics import fmean

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of

from greenexp.records.decision import Action
from greenexp.schedulers import build
from greenexp.schedulers.asha import Asha, expected_going_on, percentile

# All seeds of a configuration are judged at once:
TOGETHER = ["fifo", "sha", "asha", "hyperband", "asha_promotion", "median", "pasha", "one_epoch"]
NAMES = [*TOGETHER, "seed_racing"]
SYNCHRONOUS = ["sha", "hyperband"]
RANKED = [*SYNCHRONOUS, "asha_promotion", "one_epoch"]  # only the order of the values matters
several = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def sweeps(draw, names=NAMES, failing=True, modes=("max", "min"), patient=False):
    """Keyword arguments of `build`, curves, failures and a random seed for the driver.

    patient: trials may end by themselves, from their second epoch on
    """
    name = draw(st.sampled_from(names))
    racing = name == "seed_racing"
    eta = draw(st.sampled_from([2.0, 2.5, 3.0, 4.0]))
    grace = draw(st.integers(1, 2))
    chosen = (
        {} if name == "fifo" else {"reduction_factor": eta, "grace_period": grace, "per_trial": draw(st.booleans())}
    )
    if name in {"median", "one_epoch"}:
        del chosen["reduction_factor"]
        chosen["min_units" if name == "median" else "keep"] = 1
    if name == "pasha":
        chosen["epsilon"] = draw(st.sampled_from([None, 0.0, 0.2]))
    max_epochs = draw(st.integers(2, 6) if racing else st.integers(math.ceil(grace * eta) + 1, 20))
    groups = groups_of(draw(st.integers(math.ceil(eta), 14)), draw(st.integers(2, 6) if racing else st.integers(1, 3)))
    if racing:
        chosen = {"reduction_factor": eta, "first_seeds": draw(st.integers(1, len(groups["c000"]) - 1))}
    if name == "asha":
        chosen["brackets"] = draw(st.integers(1, 2)) if len(groups) >= 2 * eta else 1
    rng = random.Random(draw(st.integers(0, 10**6)))
    # Few different values, so that ties are common; now and then a value that is no number.
    values = [i / 8 for i in range(9)] + ([math.nan, math.inf] if failing and draw(st.booleans()) else [])
    trials = [trial for seeds in groups.values() for trial in seeds]
    ending = draw(st.sampled_from([0.1, 0.5, 1.0])) if patient else 0.0
    lengths = {trial: rng.randint(2, max_epochs) if rng.random() < ending else max_epochs for trial in trials}
    curves = {trial: [rng.choice(values) for _ in range(length)] for trial, length in lengths.items()}
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])) if failing else 0.0
    fails = {trial: rng.randint(1, max_epochs) for trial in trials if rng.random() < share}
    made = {
        "settings": {"name": name, **chosen},
        "max_epochs": max_epochs,
        "groups": groups,
        "mode": draw(st.sampled_from(modes)),
    }
    return made, curves, fails, rng.randint(0, 10**6)


def make(made):
    return build(made["settings"], max_epochs=made["max_epochs"], groups=made["groups"], mode=made["mode"])


def make_open(made):
    """The same scheduler with the first configuration alone, and those that enter later."""
    (first, trials), *others = made["groups"].items()
    scheduler = build(
        made["settings"],
        max_epochs=made["max_epochs"],
        groups={first: trials},
        mode=made["mode"],
        later=len(others),
    )
    return scheduler, dict(others)


@several
@given(st.booleans().flatmap(lambda patient: sweeps(patient=patient)), st.integers(1, 5))
def test_every_trial_comes_to_an_end(sweep, workers):
    made, curves, fails, seed = sweep
    outcome = drive(make(made), curves, workers=workers, seed=seed, fails=fails)
    assert set(outcome.ended) == set(curves)
    for trial, (how, epochs) in outcome.ended.items():
        assert how != "finished" or epochs == len(curves[trial])
        assert how != "failed" or epochs == fails[trial]
    if made["settings"]["name"] == "fifo":
        assert "stopped" not in {how for how, _ in outcome.ended.values()}


@several
@given(st.booleans().flatmap(lambda patient: sweeps(TOGETHER, patient=patient)), st.integers(1, 5))
def test_every_trial_comes_to_an_end_if_configurations_enter_later(sweep, workers):
    made, curves, fails, seed = sweep
    scheduler, later = make_open(made)
    outcome = drive(scheduler, curves, workers=workers, seed=seed, fails=fails, later=later)
    assert set(outcome.ended) == set(curves)
    again, _ = make_open(made)
    again.restore(json.loads(json.dumps(scheduler.state(), allow_nan=False)))
    assert again.state() == scheduler.state()
    judged = [unit for unit in curves if outcome.ended[unit][0] == "finished"]
    assert judged or fails or any(not math.isfinite(value) for curve in curves.values() for value in curve)


@several
@given(sweeps(SYNCHRONOUS), st.integers(1, 5), st.integers(0, 99))
def test_synchronous_decisions_are_the_same_if_configurations_enter_later(sweep, workers, other_seed):
    made, curves, fails, seed = sweep
    scheduler, later = make_open(made)
    there = drive(make(made), curves, seed=seed, fails=fails)
    entered = drive(scheduler, curves, workers=workers, seed=other_seed, fails=fails, later=later)
    assert entered.ended == there.ended


@several
@given(sweeps([*SYNCHRONOUS, "seed_racing"], failing=False, patient=True), st.integers(1, 5), st.integers(0, 99))
def test_a_trial_that_ended_by_itself_counts_as_if_it_had_trained_on_without_gain(sweep, workers, other_seed):
    made, curves, _, seed = sweep
    flat = {trial: curve + [curve[-1]] * (made["max_epochs"] - len(curve)) for trial, curve in curves.items()}
    short = drive(make(made), curves, workers=workers, seed=other_seed).ended
    for trial, (how, epochs) in drive(make(made), flat, seed=seed).ended.items():
        length = len(curves[trial])
        assert short[trial] == (("finished", length) if how == "finished" or epochs >= length else (how, epochs))


@several
@given(sweeps(TOGETHER, patient=True), st.integers(1, 5))
def test_the_seeds_of_a_configuration_stop_at_the_same_rung(sweep, workers):
    made, curves, fails, seed = sweep
    made["settings"].pop("per_trial", None)
    outcome = drive(make(made), curves, workers=workers, seed=seed, fails=fails)
    for seeds in made["groups"].values():
        rungs = {outcome.ended[trial][1] for trial in seeds if outcome.ended[trial][0] == "stopped"}
        assert len(rungs) <= 1
        if rungs:
            (rung,) = rungs
            ends = [outcome.ended[trial] for trial in seeds]
            assert all(epochs <= rung for how, epochs in ends if how == "finished")


@several
@given(sweeps(SYNCHRONOUS, failing=False))
def test_as_many_go_on_as_the_plan_says_and_train_as_long(sweep):
    made, curves, _, seed = sweep
    scheduler = make(made)
    plan, expected = scheduler.bracket_plan(), scheduler.expected_epochs
    outcome = drive(scheduler, curves, seed=seed)
    per_unit = 1 if made["settings"].get("per_trial") else len(made["groups"]["c000"])
    for bracket in plan:
        for rung in bracket.rungs:
            here = [v for v in outcome.final().values() if (v.bracket, v.rung) == (bracket.number, rung.epoch)]
            assert len(here) == rung.entering * per_unit
            assert sum(v.action is Action.GO_ON for v in here) == rung.going_on * per_unit
    assert sum(epochs for _, epochs in outcome.ended.values()) == expected.epochs
    assert expected.exact


@several
@given(sweeps(SYNCHRONOUS, failing=False), st.integers(1, 5), st.integers(0, 99))
def test_synchronous_decisions_do_not_depend_on_order_or_workers(sweep, workers, other_seed):
    made, curves, _, seed = sweep
    one = drive(make(made), curves, workers=1, seed=seed)
    other = drive(make(made), curves, workers=workers, seed=other_seed)
    assert one.final() == other.final()
    assert one.ended == other.ended


@several
@given(sweeps(SYNCHRONOUS, failing=False))
def test_synchronous_halving_is_the_paper_by_brute_force(sweep):
    """Rank the means of whoever is left at every rung, level by level, and compare who goes on."""
    made, curves, _, seed = sweep
    scheduler = make(made)
    plan = scheduler.bracket_plan()
    final = drive(scheduler, curves, seed=seed).final()
    per_trial = made["settings"].get("per_trial")
    trials = [t for seeds in made["groups"].values() for t in seeds]
    units = {t: [t] for t in trials} if per_trial else made["groups"]
    names, sign = list(units), 1 if made["mode"] == "max" else -1
    for bracket in plan:
        left, names = names[: bracket.units], names[bracket.units :]
        for rung in bracket.rungs:
            mean = {u: fmean(curves[t][rung.epoch - 1] for t in units[u]) for u in left}
            keep = max(1, math.floor(len(left) / made["settings"]["reduction_factor"]))
            best = set(sorted(left, key=lambda u: (-sign * mean[u], trials.index(units[u][0])))[:keep])
            for unit in left:
                verdict = final[units[unit][0], rung.epoch]
                assert (verdict.action is Action.GO_ON) == (unit in best)
                assert verdict.value == pytest.approx(mean[unit])
            left = [u for u in left if u in best]


@several
@given(sweeps(RANKED, failing=False))
def test_decisions_depend_on_ranks_only(sweep):
    """Without seeds to average, any increasing transform of the values gives the same decisions."""
    made, curves, _, seed = sweep
    made["settings"]["per_trial"] = True
    bent = {trial: [math.exp(3 * value) - 7 for value in values] for trial, values in curves.items()}
    assert drive(make(made), curves, seed=seed).ended == drive(make(made), bent, seed=seed).ended


@several
@given(sweeps(["asha"], failing=False))
def test_asha_decisions_survive_a_linear_transform(sweep):
    made, curves, _, seed = sweep
    scaled = {trial: [4 * value for value in values] for trial, values in curves.items()}  # exact in floating point
    assert drive(make(made), curves, seed=seed).ended == drive(make(made), scaled, seed=seed).ended


@several
@given(sweeps(), st.integers(1, 5))
def test_minimising_is_maximising_the_negative(sweep, workers):
    made, curves, fails, seed = sweep
    turned = {**made, "mode": "min" if made["mode"] == "max" else "max"}
    negative = {trial: [-value for value in values] for trial, values in curves.items()}
    one = drive(make(made), curves, workers=workers, seed=seed, fails=fails)
    other = drive(make(turned), negative, workers=workers, seed=seed, fails=fails)
    assert one.ended == other.ended


def questions(made, curves, fails, seed):
    """What the driver asked a first scheduler, in order, with the answers."""
    scheduler, asked = make(made), []

    class Recorder:
        may_begin = staticmethod(scheduler.may_begin)

        def decide(self, trial, resource, value):
            answer = scheduler.decide(trial, resource, value)
            asked.append(("decide", (trial, resource, value), answer.verdicts))
            return answer

        def withdraw(self, trial, reason):
            answer = scheduler.withdraw(trial, reason)
            asked.append(("withdraw", (trial, reason), answer))
            return answer

        def finish(self, trial, resource, value):
            answer = scheduler.finish(trial, resource, value)
            asked.append(("finish", (trial, resource, value), answer))
            return answer

    drive(Recorder(), curves, seed=seed, fails=fails)
    return asked, scheduler


def same(one, other):
    """Equality in which NaN, which is never shown in a verdict, cannot matter."""
    return repr(one) == repr(other)


@several
@given(sweeps(patient=True), st.floats(0, 1))
def test_restoring_half_way_continues_identically(sweep, part):
    made, curves, fails, seed = sweep
    asked, first = questions(made, curves, fails, seed)
    half = int(part * len(asked))
    before, after = make(made), make(made)
    for method, arguments, answer in asked[:half]:
        replayed = getattr(before, method)(*arguments)
        assert same(replayed.verdicts if method == "decide" else replayed, answer)
    after.restore(json.loads(json.dumps(before.state(), allow_nan=False)))
    assert after.state() == before.state()
    for method, arguments, answer in asked[half:]:
        replayed = getattr(after, method)(*arguments)
        assert same(replayed.verdicts if method == "decide" else replayed, answer)
    assert after.state() == first.state()


@several
@given(sweeps(failing=False, patient=True), st.floats(0, 1), st.integers(0, 10**6))
def test_repeated_attempts_change_nothing(sweep, part, which):
    """After a crash a trial reports its epochs again from the beginning: same verdicts, nothing for others."""
    made, curves, _, seed = sweep
    asked, first = questions(made, curves, {}, seed)
    scheduler = make(made)
    for number, (method, arguments, answer) in enumerate(asked):
        found = getattr(scheduler, method)(*arguments)
        assert (found if method == "finish" else found.verdicts) == answer
        if number == int(part * (len(asked) - 1)):
            so_far = sorted({arguments[0] for _, arguments, _ in asked[: number + 1]})
            trial = so_far[which % len(so_far)]
            for what, (who, epoch, value), _ in asked[: number + 1]:
                if who == trial:
                    again = getattr(scheduler, what)(who, epoch, value)
                    assert (again if what == "finish" else again.others) == ()
    assert scheduler.state() == first.state()


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40),
    st.one_of(st.floats(0, 100), st.sampled_from([(1 - 1 / eta) * 100 for eta in (1.5, 2, 2.5, 3, 4, 7)])),
)
def test_percentile_is_numpys_to_the_bit(values, percent):
    assert percentile(sorted(values), percent) == np.percentile(values, percent)


def test_percentile_next_to_failures_is_below_every_number():
    assert percentile([-math.inf, 0.5, 0.7], 20) == -math.inf
    assert percentile([-math.inf, 0.5, 0.7], 50) == 0.5


@pytest.mark.parametrize("eta", [2, 3, 4])
@pytest.mark.parametrize("units", [1, 2, 5, 20, 200])
def test_expected_number_passing_the_first_rung_is_the_closed_form(eta, units):
    """The m-th to come is compared at position h = (m - 2)(1 - 1/eta) of m - 1 uniform values: (m - 1 - h) / m."""
    closed = 1 + sum((m - 1 - (m - 2) * (1 - 1 / eta)) / m for m in range(2, units + 1))
    assert expected_going_on(units, 1, eta)[0] == pytest.approx(closed, abs=0.015 * units)


@pytest.mark.parametrize(
    ("units", "eta", "epochs", "simulated"),
    [(6, 2, 6, 25), (27, 3, 27, 187), (100, 3, 81, 984)],
)
def test_planned_epochs_are_those_of_units_that_keep_their_order(units, eta, epochs, simulated):
    """Against independent simulations (600 repeats, normal values); the rungs one by one give 126 and 527."""
    grace = 2 if units == 6 else 1
    run = Asha(reduction_factor=eta, grace_period=grace).start([str(i) for i in range(units)], max_epochs=epochs)
    (bracket,) = run.bracket_plan()
    assert bracket.epochs == pytest.approx(simulated, rel=0.06)
    assert not bracket.exact
    assert [rung.entering for rung in bracket.rungs[1:]] == [rung.going_on for rung in bracket.rungs[:-1]]


def test_a_plan_is_the_same_whoever_asked_first():
    expected_going_on.cache_clear()
    from_whole = expected_going_on(27, 3, 3)
    expected_going_on.cache_clear()
    assert expected_going_on(27, 3, 3.0) == from_whole
