"""Halving over several objectives: the order by brute force, and what holds for any sweep under it."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of

from greenexp.errors import InputError
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.schedulers import Scheduler, build, build_over_units
from greenexp.schedulers.fronts import Fronts, dominates, spread_order

OBJECTIVES = ("score", "inference_flops", "energy_j")
SETTINGS: dict[str, Any] = {"name": "mo_halving"}
several = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Few different values, so that ties are common.
EIGHTHS = st.integers(0, 8).map(lambda part: part / 8)
VECTORS = st.integers(1, 4).flatmap(lambda size: st.lists(st.tuples(*[EIGHTHS] * size), min_size=1, max_size=20))


def slow_fronts(vectors: np.ndarray) -> list[list[int]]:
    """By peeling: whoever nobody that is left beats is the next front."""
    left, fronts = list(range(len(vectors))), []
    while left:
        beaten = [
            i for i in left if any((vectors[j] >= vectors[i]).all() and (vectors[j] > vectors[i]).any() for j in left)
        ]
        fronts.append([i for i in left if i not in beaten])
        left = beaten
    return fronts


def slow_spread(vectors: np.ndarray) -> list[int]:
    """Every distance anew at every step."""
    span = vectors.max(axis=0) - vectors.min(axis=0)
    scaled = np.where(span > 0, (vectors - vectors.min(axis=0)) / np.where(span > 0, span, 1), 0.0)
    order = [int(np.argmax(vectors[:, 0]))]
    while len(order) < len(vectors):
        gaps = [
            -1.0 if i in order else min(float(sum((scaled[i] - scaled[j]) ** 2)) for j in order)
            for i in range(len(vectors))
        ]
        order.append(int(np.argmax(gaps)))
    return order


def slow_order(vectors: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """(front from 1, index) of all, the first first."""
    array = np.array(vectors, dtype=np.float64)
    found = []
    for number, front in enumerate(slow_fronts(array), start=1):
        found += [(number, front[i]) for i in slow_spread(array[front])]
    return found


@given(VECTORS)
def test_the_place_of_each_that_comes_is_that_of_sorting_all_anew(vectors: list[tuple[float, ...]]) -> None:
    fronts = Fronts()
    for count, vector in enumerate(vectors, start=1):
        found = fronts.add(vector)
        assert (found.front, count - 1) == slow_order(vectors[:count])[found.place - 1]


@pytest.mark.parametrize("dimensions", [2, 3, 5])
def test_places_of_many_random_vectors(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    vectors = [tuple(map(float, row)) for row in rng.normal(size=(120, dimensions)) * 10.0 ** np.arange(dimensions)]
    fronts = Fronts()
    for count, vector in enumerate(vectors, start=1):
        found = fronts.add(vector)
        if count % 10 == 0:
            assert (found.front, count - 1) == slow_order(vectors[:count])[found.place - 1]


def test_a_front_begins_with_the_best_of_the_first_objective_and_then_goes_where_it_is_emptiest() -> None:
    front = [(1.0, 8.0), (2.0, 7.0), (5.0, 5.0), (9.0, 0.0), (8.0, 1.0)]
    assert [front[i] for i in spread_order(front)] == [(9.0, 0.0), (1.0, 8.0), (5.0, 5.0), (2.0, 7.0), (8.0, 1.0)]
    assert list(spread_order([(0.5, 1.0)] * 3)) == [0, 1, 2], "of equal ones the first goes first"
    assert dominates((1.0, 2.0), (1.0, 1.0))
    assert not dominates((1.0, 2.0), (1.0, 2.0))


def test_values_at_the_ends_of_what_a_number_can_be_have_places() -> None:
    fronts = Fronts()
    largest = 1.7e308
    places = [fronts.add(v).place for v in [(largest, -largest), (-largest, largest), (0.0, 0.0), (1e-320, -1e-320)]]
    assert places == [1, 2, 3, 4]


@given(VECTORS, st.sampled_from([0.25, 1024.0]))
def test_the_units_of_an_objective_do_not_matter(vectors: list[tuple[float, ...]], factor: float) -> None:
    one, other = Fronts(), Fronts()
    for vector in vectors:
        assert one.add(vector) == other.add((*vector[:-1], factor * vector[-1]))


def asked(scheduler: Scheduler, method: str, told: Sequence[Any]) -> Any:
    """What a scheduler answers; told: of a report with its objectives in the fourth place."""
    return getattr(scheduler, method)(*told[:3], **dict(zip(["objectives"], told[3:], strict=False)))


def decide(scheduler: Scheduler, trial: str, epoch: float, value: float, costs: ObjectiveCosts = NO_COSTS) -> Decision:
    return scheduler.decide(trial, epoch, value, objectives=costs)


class WithCosts:
    """Tells a scheduler the costs of each report, as tuning does. table: (trial, epoch) -> costs."""

    def __init__(self, scheduler: Scheduler, table: Mapping[tuple[str, int], ObjectiveCosts]) -> None:
        self.scheduler, self.table = scheduler, table
        self.asked: list[tuple[str, tuple[Any, ...], tuple[Verdict, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scheduler, name)

    def decide(self, trial: str, epoch: int, value: float) -> Decision:
        told = (trial, epoch, value, self.table[trial, epoch])
        answer = asked(self.scheduler, "decide", told)
        self.asked.append(("decide", told, answer.verdicts))
        return answer

    def finish(self, trial: str, epoch: int, value: float) -> tuple[Verdict, ...]:
        told = (trial, epoch, value, self.table[trial, epoch])
        answer = asked(self.scheduler, "finish", told)
        self.asked.append(("finish", told, answer))
        return answer

    def withdraw(self, trial: str, reason: str) -> tuple[Verdict, ...]:
        answer = self.scheduler.withdraw(trial, reason)
        self.asked.append(("withdraw", (trial, reason), answer))
        return answer


@st.composite
def sweeps(draw: st.DrawFn, failing: bool = True, judged: bool = False) -> dict[str, Any]:
    """judged: no trial fails or ends by itself, so that every unit that comes to a rung gets a verdict there."""
    eta = draw(st.sampled_from([2.0, 2.5, 3.0]))
    groups = groups_of(draw(st.integers(3, 12)), draw(st.integers(1, 3)))
    chosen = {**SETTINGS, "reduction_factor": eta, "per_trial": draw(st.booleans())}
    if draw(st.booleans()) and not chosen["per_trial"] and len(groups["c000"]) > 1:
        chosen["seeds"] = [1, len(groups["c000"])]
    epochs, rng = draw(st.integers(4, 12)), random.Random(draw(st.integers(0, 10**6)))
    trials = [trial for seeds in groups.values() for trial in seeds]
    values = [i / 8 for i in range(9)] + ([math.nan] if failing and not judged and draw(st.booleans()) else [])
    lengths = {t: epochs if judged else rng.choice([epochs, epochs, rng.randint(2, epochs)]) for t in trials}
    unmeasured = 0.1 if failing and draw(st.booleans()) else 0.0
    table = {}
    for trial in trials:
        for epoch in range(1, epochs + 1):
            known = {"inference_flops": rng.randint(1, 5) * 1e6, "energy_j": rng.randint(1, 4) / 4}
            lacking = {"energy_j": "no counter"} if rng.random() < unmeasured else {}
            table[trial, epoch] = ObjectiveCosts({k: v for k, v in known.items() if k not in lacking}, lacking)
    return {
        "settings": chosen, "groups": groups, "epochs": epochs, "mode": draw(st.sampled_from(["max", "min"])),
        "curves": {trial: [rng.choice(values) for _ in range(lengths[trial])] for trial in trials},
        "fails": {t: rng.randint(1, epochs) for t in trials if failing and not judged and rng.random() < 0.1},
        "table": table, "seed": rng.randint(0, 10**6),
    }  # fmt: skip


def made(sweep: Mapping[str, Any], later: int = 0, **other: Any) -> WithCosts:
    groups = dict(list(sweep["groups"].items())[: len(sweep["groups"]) - later])
    chosen = {"mode": sweep["mode"], **other}
    scheduler = build(
        sweep["settings"], max_epochs=sweep["epochs"], groups=groups, later=later, objectives=OBJECTIVES, **chosen
    )
    return WithCosts(scheduler, sweep["table"])


@several
@given(sweeps(), st.integers(1, 5))
def test_every_trial_comes_to_an_end_and_restoring_changes_nothing(sweep: dict[str, Any], workers: int) -> None:
    scheduler = made(sweep)
    outcome = drive(scheduler, sweep["curves"], workers=workers, seed=sweep["seed"], fails=sweep["fails"])
    assert set(outcome.ended) == set(sweep["curves"])
    for trial, (how, epochs) in outcome.ended.items():
        assert how != "finished" or epochs == len(sweep["curves"][trial])
    again = made(sweep)
    again.restore(json.loads(json.dumps(scheduler.state(), allow_nan=False)))
    assert again.state() == scheduler.state()
    half = made(sweep)
    for method, told, answer in scheduler.asked[: len(scheduler.asked) // 2]:
        found = asked(half.scheduler, method, told)
        assert repr(found.verdicts if method == "decide" else found) == repr(answer)
    half.restore(json.loads(json.dumps(half.state(), allow_nan=False)))
    for method, told, answer in scheduler.asked[len(scheduler.asked) // 2 :]:
        found = asked(half.scheduler, method, told)
        assert repr(found.verdicts if method == "decide" else found) == repr(answer)
    assert half.state() == scheduler.state()


@several
@given(sweeps(), st.integers(1, 5))
def test_configurations_may_enter_later(sweep: dict[str, Any], workers: int) -> None:
    later = dict(list(sweep["groups"].items())[1:])
    scheduler = made(sweep, later=len(later))
    outcome = drive(scheduler, sweep["curves"], workers=workers, seed=sweep["seed"], fails=sweep["fails"], later=later)
    assert set(outcome.ended) == set(sweep["curves"])


@several
@given(sweeps(failing=False), st.integers(1, 5))
def test_minimising_is_maximising_the_negative(sweep: dict[str, Any], workers: int) -> None:
    turned = {trial: [-value for value in values] for trial, values in sweep["curves"].items()}
    other = {"max": "min", "min": "max"}[sweep["mode"]]
    one = drive(made(sweep), sweep["curves"], workers=workers, seed=sweep["seed"])
    assert one.ended == drive(made(sweep, mode=other), turned, workers=workers, seed=sweep["seed"]).ended


@several
@given(sweeps(judged=True))
def test_a_sweep_is_the_rule_by_brute_force(sweep: dict[str, Any]) -> None:
    """Every verdict again from all that had come to its rung: means over the seeds that count there, sorted anew."""
    scheduler = made(sweep)
    drive(scheduler, sweep["curves"], workers=3, seed=sweep["seed"])
    sign = 1 if sweep["mode"] == "max" else -1
    told: dict[tuple[str, int], tuple[float, ObjectiveCosts]] = {}
    came: dict[int, list[tuple[float, ...] | None]] = {}
    judged = set()
    members = {t: [t] for t in sweep["curves"]} if sweep["settings"]["per_trial"] else sweep["groups"]
    unit_of = {trial: unit for unit, trials in members.items() for trial in trials}
    for _, arguments, verdicts in scheduler.asked:
        told[arguments[0], arguments[1]] = arguments[2:]
        for verdict in verdicts:
            unit = unit_of[verdict.trial]
            if verdict.action is Action.PAUSE or verdict.rung is None or (unit, verdict.rung) in judged:
                continue
            judged.add((unit, verdict.rung))
            here = came.setdefault(verdict.rung, [])
            if verdict.value is None:
                here.append(None)
                assert verdict.action is Action.STOP
                assert verdict.place is verdict.front is None
                continue
            seeds = members[unit][: verdict.seeds]
            known = [told[trial, verdict.rung] for trial in seeds]
            costs = [math.fsum(c.values[name] for _, c in known) / len(known) for name in OBJECTIVES[1:]]
            mean = math.fsum(value for value, _ in known) / len(known)
            here.append((sign * mean, *(-cost for cost in costs)))
            order = slow_order([vector for vector in here if vector is not None])
            place = next(p for p, (_, i) in enumerate(order, start=1) if i == len(order) - 1)
            assert (verdict.front, verdict.place) == (order[place - 1][0], place)
            first = max(1, math.floor(len(here) / sweep["settings"]["reduction_factor"]))
            assert (verdict.action is Action.GO_ON) == (place <= first)
            assert verdict.value == pytest.approx(mean)
            assert verdict.cutoff is None


def a_scheduler(configurations: int = 6, seeds: int = 1, **chosen: Any) -> Scheduler:
    return build(
        {**SETTINGS, **chosen},
        max_epochs=9,
        groups=groups_of(configurations, seeds),
        mode="max",
        objectives=("score", "inference_flops"),
    )


def flops(value: float) -> ObjectiveCosts:
    return ObjectiveCosts({"inference_flops": value})


def test_a_cheap_configuration_goes_on_though_its_score_is_worse() -> None:
    scheduler = a_scheduler(reduction_factor=2)
    told = [(0.9, 4e6), (0.5, 3e6), (0.8, 5e6), (0.4, 1e6), (0.3, 2e6)]
    said = [decide(scheduler, f"c{i:03d}-i0", 1, score, flops(cost)).own for i, (score, cost) in enumerate(told)]
    assert [v.action is Action.GO_ON for v in said] == [True, False, False, True, False]
    assert [(v.front, v.place) for v in said] == [(1, 1), (1, 2), (2, 3), (1, 2), (2, 5)]
    assert said[3].value == 0.4
    assert "front 1" in said[3].reason


def test_a_cost_that_was_not_measured_is_missing_with_its_reason_and_never_nought() -> None:
    scheduler = a_scheduler(seeds=2)
    assert decide(scheduler, "c000-i0", 1, 0.9, flops(1e6)).action is Action.PAUSE
    said = decide(scheduler, "c000-i1", 1, 0.9, ObjectiveCosts(missing={"inference_flops": "the counter is gone"}))
    assert [v.action for v in said.verdicts] == [Action.STOP, Action.STOP]
    assert said.own.value is said.own.front is None
    assert "c000-i1 has no inference_flops: the counter is gone" in said.own.reason
    decide(scheduler, "c001-i0", 1, 0.1, flops(9e9))
    (own, other) = decide(scheduler, "c001-i1", 1, 0.1, NO_COSTS).verdicts
    assert own.action is other.action is Action.STOP
    decide(scheduler, "c002-i0", 1, 0.1, flops(9e9))
    own = decide(scheduler, "c002-i1", 1, 0.1, flops(7e9)).own
    assert (own.action, own.front, own.place) == (Action.GO_ON, 1, 1), "it is the first that can be compared"


def test_rungs_may_lie_within_epochs() -> None:
    scheduler = build(
        {**SETTINGS, "grace_period": 0.25},
        max_epochs=2, groups=groups_of(6), mode="max", objectives=OBJECTIVES[:2], reports_per_epoch=4,
    )  # fmt: skip
    (bracket,) = scheduler.bracket_plan()
    assert [rung.epoch for rung in bracket.rungs] == [0.25, 0.75]
    assert decide(scheduler, "c000-i0", 0.25, 0.5, flops(1e6)).own.rung == 0.25


@pytest.mark.parametrize(("units", "eta"), [(3, 3), (27, 3), (30, 2)])
def test_the_expected_number_at_the_second_rung_is_the_closed_form(units: int, eta: int) -> None:
    """Of m that came the last is equally likely at each place, if the order is one of independent draws."""
    closed = sum(max(1, m // eta) / m for m in range(1, units + 1))
    (bracket,) = a_scheduler(units, reduction_factor=eta).bracket_plan()
    assert bracket.rungs[0].going_on == pytest.approx(closed, abs=0.025 * units)
    assert not bracket.exact


def test_one_objective_is_refused() -> None:
    for objectives in ((), ("score",)):
        with pytest.raises(InputError, match=r"objectives: \[score, "):
            build(SETTINGS, max_epochs=9, groups=groups_of(6), mode="max", objectives=objectives)
    with pytest.raises(InputError, match="objectives"):
        build_over_units(SETTINGS, units=["a", "b", "c"], resource=9, mode="max")
