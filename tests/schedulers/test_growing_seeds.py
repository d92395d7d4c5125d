"""Seeds as a fidelity: rungs that count more seeds as configurations climb, against references of the tests' own."""

from __future__ import annotations

import itertools
import json
import math
import random
from statistics import fmean, variance

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of
from test_scheduler_properties import make, questions, same

from greenexp.errors import FieldError, InputError, ReplayError
from greenexp.records.decision import Action
from greenexp.schedulers import build

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP
several = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def scheduler_with(seeds, name="asha", total=3, configurations=3, **fields):
    groups = groups_of(configurations, total)
    return build({"name": name, "seeds": seeds, **fields}, max_epochs=9, groups=groups, mode="max")


def ladder_of(name, eta, grace, max_epochs):
    """The epochs of all rungs, written down anew."""
    if name == "hyperband":
        most = max(s for s in range(20) if grace * eta**s <= max_epochs)
        found = {math.floor(max_epochs / eta**s + 0.5) for s in range(1, most + 1)}
    else:
        found = {math.ceil(grace * eta**k - 1e-9) for k in range(20)}
    return sorted(epoch for epoch in found if 1 <= epoch < max_epochs)


@st.composite
def growing(draw, names=("sha", "asha", "asha_promotion", "hyperband"), failing=False, patient=False):
    """Keyword arguments of `build`, curves, failures and a random seed for the driver."""
    name = draw(st.sampled_from(names))
    eta, grace = draw(st.sampled_from([2.0, 3.0])), draw(st.integers(1, 2))
    max_epochs = draw(st.integers(math.ceil(grace * eta) + 1, 14))
    total = draw(st.integers(1, 5))
    groups = groups_of(draw(st.integers(math.ceil(eta), 10)), total)
    rungs = len(ladder_of(name, eta, grace, max_epochs))
    counts = sorted(draw(st.lists(st.integers(1, total), max_size=rungs)))
    chosen = {"reduction_factor": eta, "grace_period": grace, "seeds": [*counts, total]}
    if name == "asha" and rungs > 1 and len(groups) >= 2 * eta:
        chosen["brackets"] = draw(st.integers(1, 2))
    rng = random.Random(draw(st.integers(0, 10**6)))
    values = [i / 8 for i in range(9)] + ([math.nan] if failing and draw(st.booleans()) else [])
    trials = [trial for seeds in groups.values() for trial in seeds]
    ending = draw(st.sampled_from([0.1, 0.5])) if patient else 0.0
    lengths = {trial: rng.randint(2, max_epochs) if rng.random() < ending else max_epochs for trial in trials}
    curves = {trial: [rng.choice(values) for _ in range(length)] for trial, length in lengths.items()}
    share = draw(st.sampled_from([0.0, 0.1, 0.5])) if failing else 0.0
    fails = {trial: rng.randint(1, max_epochs) for trial in trials if rng.random() < share}
    made = {
        "settings": {"name": name, **chosen},
        "max_epochs": max_epochs,
        "groups": groups,
        "mode": draw(st.sampled_from(["max", "min"])),
    }
    return made, curves, fails, rng.randint(0, 10**6)


def rungs_of(made):
    """(epoch, seeds) of every rung, and the seeds in the end."""
    chosen = made["settings"]
    epochs = ladder_of(chosen["name"], chosen["reduction_factor"], chosen["grace_period"], made["max_epochs"])
    counts = itertools.chain(chosen["seeds"], itertools.repeat(chosen["seeds"][-1]))
    return dict(zip(epochs, counts, strict=False))


def climbs(made, outcome):
    """Configuration -> rungs it passed, and the one it was stopped at or None, by what was said of its first seed."""
    verdicts = outcome.final()
    for configuration, trials in made["groups"].items():
        said = sorted((rung, v.action) for (trial, rung), v in verdicts.items() if trial == trials[0])
        yield (
            configuration,
            [rung for rung, action in said if action is GO_ON],
            next((rung for rung, action in said if action is STOP), None),
        )


@several
@given(growing(), st.integers(1, 5))
def test_a_seed_trains_if_its_configuration_has_climbed_to_a_rung_that_counts_it(sweep, workers):
    made, curves, _, seed = sweep
    outcome, rungs = drive(make(made), curves, workers=workers, seed=seed), rungs_of(made)
    for configuration, _, stopped in climbs(made, outcome):
        trials = made["groups"][configuration]
        given_seeds, epochs = (len(trials), made["max_epochs"]) if stopped is None else (rungs[stopped], stopped)
        how = "finished" if stopped is None else "stopped"
        assert [outcome.ended[trial] for trial in trials[:given_seeds]] == [(how, epochs)] * given_seeds
        assert {outcome.ended[trial] for trial in trials[given_seeds:]} <= {("stopped", 0)}


@several
@given(growing(names=("sha", "hyperband")), st.integers(1, 5))
def test_synchronous_halving_over_seeds_by_brute_force(sweep, workers):
    """Rank the means over the first seeds of whoever is left, rung by rung."""
    made, curves, _, seed = sweep
    scheduler, rungs = make(made), rungs_of(made)
    outcome = drive(scheduler, curves, workers=workers, seed=seed)
    names, sign = list(made["groups"]), 1 if made["mode"] == "max" else -1
    trained = 0
    for bracket in scheduler.bracket_plan():
        left, names = names[: bracket.units], names[bracket.units :]
        for rung in bracket.rungs:
            count = rungs[rung.epoch]
            mean = {c: fmean(curves[t][rung.epoch - 1] for t in made["groups"][c][:count]) for c in left}
            keep = max(1, math.floor(len(left) / made["settings"]["reduction_factor"]))
            best = set(sorted(left, key=lambda c: (-sign * mean[c], c))[:keep])
            for c in left:
                verdict = outcome.final()[made["groups"][c][0], rung.epoch]
                assert (verdict.action is GO_ON) == (c in best)
                assert (verdict.value, verdict.seeds) == (pytest.approx(mean[c]), count)
            trained += (len(left) - len(best)) * count * rung.epoch
            left = [c for c in left if c in best]
        trained += len(left) * len(made["groups"]["c000"]) * made["max_epochs"]
    assert sum(epochs for _, epochs in outcome.ended.values()) == trained == scheduler.expected_epochs.epochs
    assert scheduler.expected_epochs.exact
    begun = sum(epochs > 0 for _, epochs in outcome.ended.values())
    of_one = len(made["groups"]["c000"])  # a plan without seeds is one of each seed
    assert begun == sum(bracket.begun * (1 if bracket.seeds else of_one) for bracket in scheduler.bracket_plan())


@several
@given(growing(names=("asha",)), st.integers(1, 5))
def test_asha_over_seeds_by_brute_force_in_the_order_of_arrival(sweep, workers):
    """Every verdict is about the first seed's configuration among those that came before it, by numpy's quantile."""
    made, curves, _, seed = sweep
    outcome, rungs = drive(make(made), curves, workers=workers, seed=seed), rungs_of(made)
    sign = 1 if made["mode"] == "max" else -1
    seen = {}
    for verdict in outcome.verdicts:
        if verdict.action is PAUSE or not verdict.trial.endswith("-i0") or verdict.rung is None:
            continue
        count = rungs[verdict.rung]
        trials = made["groups"][verdict.trial[:4]][:count]
        value = sign * fmean(curves[trial][verdict.rung - 1] for trial in trials)
        before = seen.setdefault((verdict.bracket, verdict.rung), [])
        cutoff = np.percentile(before, (1 - 1 / made["settings"]["reduction_factor"]) * 100) if before else -math.inf
        assert sign * verdict.value == pytest.approx(value)
        if abs(value - cutoff) > 1e-9:
            assert (verdict.action is GO_ON) == (value > cutoff)
        before.append(value)


@several
@given(growing(names=("sha", "asha", "hyperband")), st.integers(1, 5))
def test_the_noise_is_the_pooled_deviation_between_seeds(sweep, workers):
    """Of all configurations that have come to the rung; under asha, of those that came until then."""
    made, curves, _, seed = sweep
    outcome, rungs = drive(make(made), curves, workers=workers, seed=seed), rungs_of(made)
    here = {}
    for verdict in outcome.verdicts:
        if verdict.action is not PAUSE and verdict.trial.endswith("-i0") and verdict.rung is not None:
            here.setdefault((verdict.bracket, verdict.rung), []).append(verdict)
    for (_, rung), verdicts in here.items():
        count = rungs[rung]
        within = [
            variance([curves[t][rung - 1] for t in made["groups"][v.trial[:4]][:count]]) if count > 1 else None
            for v in verdicts
        ]
        for number, verdict in enumerate(verdicts, start=1):
            pooled = within if made["settings"]["name"] != "asha" else within[:number]
            expected = None if count == 1 else pytest.approx(math.sqrt(2 * fmean(pooled) / count), abs=1e-12)
            assert verdict.noise == expected


@several
@given(growing(failing=True, patient=True), st.integers(1, 5))
def test_everything_comes_to_an_end_whatever_fails(sweep, workers):
    made, curves, fails, seed = sweep
    outcome = drive(make(made), curves, workers=workers, seed=seed, fails=fails)
    assert set(outcome.ended) == set(curves)
    total = len(made["groups"]["c000"])
    for trials in made["groups"].values():
        ended = [outcome.ended[trial] for trial in trials]
        began = sum(epochs > 0 for _, epochs in ended)
        assert 0 < began <= total
        assert all(how == "stopped" for how, epochs in ended if not epochs)
        assert began == total or any(how in ("stopped", "failed") for how, _ in ended)


@several
@given(growing(failing=True, patient=True), st.floats(0, 1))
def test_restoring_at_any_point_continues_identically(sweep, part):
    made, curves, fails, seed = sweep
    asked, first = questions(made, curves, fails, seed)
    half = int(part * len(asked))
    before, after = make(made), make(made)
    for method, arguments, _ in asked[:half]:
        getattr(before, method)(*arguments)
    after.restore(json.loads(json.dumps(before.state(), allow_nan=False)))
    assert after.state() == before.state()
    assert [after.may_begin(trial) for trial in curves] == [before.may_begin(trial) for trial in curves]
    for method, arguments, answer in asked[half:]:
        replayed = getattr(after, method)(*arguments)
        assert same(replayed.verdicts if method == "decide" else replayed, answer)
    assert after.state() == first.state()


def test_all_seeds_at_every_rung_decide_as_without_the_field():
    for name, seed in itertools.product(("sha", "asha", "hyperband"), range(5)):
        rng = random.Random(seed)
        curves = {f"c{c:03d}-i{i}": [rng.random() for _ in range(9)] for c in range(9) for i in range(3)}
        plain, grown = (
            drive(scheduler_with(seeds, name, configurations=9), curves, seed=seed) for seeds in (None, [3])
        )
        assert plain.ended == grown.ended
        assert plain.final() == grown.final()


def test_a_climb_by_hand():
    """[1, 2, 3] seeds, rungs after 1 and 3 of 9 epochs."""
    asha = scheduler_with([1, 2, 3])
    first = asha.decide("c000-i0", 1, 0.5)
    assert (first.action, [(v.trial, v.action) for v in first.others]) == (GO_ON, [("c000-i1", GO_ON)])
    assert asha.decide("c000-i0", 3, 0.6).action is PAUSE, "it waits for the seed that has just joined"
    assert asha.decide("c000-i1", 1, 0.1).action is GO_ON, "the first rung is behind its configuration"
    with pytest.raises(ReplayError, match="c000-i2"):
        asha.decide("c000-i2", 1, 0.9)
    second = asha.decide("c000-i1", 3, 0.4)
    assert second.action is GO_ON
    assert [(v.trial, v.action, v.rung, v.seeds) for v in second.others] == [
        ("c000-i0", GO_ON, 3, 2),
        ("c000-i2", GO_ON, 3, 2),
    ]
    assert second.own.noise == pytest.approx(math.sqrt(2 * 0.02 / 2))
    stopped = asha.decide("c001-i0", 1, 0.4)
    assert stopped.action is STOP
    assert [(v.trial, v.action, v.rung) for v in stopped.others] == [("c001-i1", STOP, 1), ("c001-i2", STOP, 1)]


@pytest.mark.parametrize(
    ("seeds", "fields", "said"),
    [
        ([2, 1, 3], {}, "fall"),
        ([1, 4], {}, "number of seeds.* 3"),
        ([1, 2], {}, "number of seeds.* 3"),
        ([1, 1, 2, 3], {}, "4 entries.*2 rungs.*at most 3"),
        ([1, 3], {"per_trial": True}, "per_trial"),
    ],
)
def test_numbers_of_seeds_that_cannot_be_are_refused(seeds, fields, said):
    with pytest.raises(FieldError, match=said) as caught:
        scheduler_with(seeds, **fields)
    assert caught.value.path == "seeds"


@pytest.mark.parametrize("seeds", [[], [0, 3], 3, ["a"], [1.5, 3]])
def test_what_is_no_list_of_numbers_of_seeds_is_refused(seeds):
    with pytest.raises(InputError, match="seeds"):
        scheduler_with(seeds)


def test_configurations_that_join_later_have_as_many_seeds():
    asha = scheduler_with([1, 3])
    asha.enter("c009", ["c009-i0", "c009-i1", "c009-i2"])
    assert [asha.may_begin(f"c009-i{i}") for i in range(3)] == [True, False, False]
    with pytest.raises(InputError, match="number of seeds"):
        asha.enter("c010", ["c010-i0"])


def test_a_bracket_that_begins_at_a_later_rung_begins_with_its_seeds():
    hyperband = scheduler_with([1, 2, 3], name="hyperband", configurations=9 + 5 + 3)
    brackets = hyperband.bracket_plan()
    assert [[(r.epoch, r.seeds) for r in bracket.rungs] for bracket in brackets] == [[(1, 1), (3, 2)], [(3, 2)], []]
    assert [sum(hyperband.may_begin(f"c{c:03d}-i{i}") for i in range(3)) for c in (0, 9, 14)] == [1, 2, 3]
