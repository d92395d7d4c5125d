"""Rungs at equal cost: against a slow implementation, against rungs in epochs, and what cannot be judged."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of
from told import tells

from greenexp.errors import FieldError, InputError, ReplayError
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.schedulers import Scheduler, build, scheduler_of
from greenexp.schedulers.resource import MOST_LEVELS, levels

AXIS = "train_flops"
SETTINGS: dict[str, dict[str, Any]] = {
    "asha": {"reduction_factor": 2, "brackets": 2},
    "asha_promotion": {"reduction_factor": 2},
    "pasha": {"reduction_factor": 2, "epsilon": 0.05},
    "median": {"min_units": 2},
}


def at_cost(name: str, first: Any, configurations: int = 6, seeds: int = 1, epochs: int = 9, **own: Any) -> Scheduler:
    section = {"name": name, "resource": AXIS, "grace_period": first, **own}
    return build(section, max_epochs=epochs, groups=groups_of(configurations, seeds), mode="max")


class Charged:
    """A scheduler that is told what each report cost; of several verdicts on a trial that waits, the last stands."""

    def __init__(self, scheduler: Scheduler, costs: dict[str, list[float]]) -> None:
        self.scheduler, self.costs = scheduler, costs
        self.decided: list[Verdict] = []

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self.scheduler, name)
        return (lambda *told: _standing(ask(*told))) if name in {"finish", "withdraw", "close"} else ask

    def decide(self, trial: str, epoch: int, value: float) -> Decision:
        decision = self.scheduler.decide(trial, epoch, value, {AXIS: self.costs[trial][epoch - 1]})
        self.decided += [verdict for verdict in decision.verdicts if verdict.rung is not None]
        return dataclasses.replace(decision, others=_standing(decision.others))


def _standing(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    last = {verdict.trial: verdict for verdict in verdicts}
    return tuple(verdict for verdict in last.values() if verdict.action is not Action.PAUSE)


def slow_asha(reports: list[tuple[str, int, float, float, bool]], first: float, eta: float) -> list[Any]:
    """(trial, epoch, level, went on, cutoff) of every judgement, worked out anew from the list of reports."""
    values: dict[float, list[float]] = {}
    judged, stopped = [], set()
    for number, (trial, epoch, value, _, last) in enumerate(reports):
        used = sum(cost for who, _, _, cost, _ in reports[: number + 1] if who == trial)
        before = sum(cost for who, _, _, cost, _ in reports[:number] if who == trial)
        for level in (first * eta**power for power in range(31) if eta**power <= 1e9):
            if level <= before or trial in stopped or (level > used and not last):
                continue
            known = values.setdefault(level, [])
            cutoff = float(np.quantile(known, 1 - 1 / eta)) if known else None
            known.append(value)
            goes_on = cutoff is None or value >= cutoff
            stopped |= set() if goes_on else {trial}
            if not last:  # else nothing is left to be stopped, and a bad value comes to no further level
                judged.append((trial, epoch, level, goes_on, cutoff))
    return judged


@examples(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([2.0, 3.0]), st.integers(2, 7), st.integers(2, 8))
def test_asha_judges_as_a_slow_implementation_does(seed: int, eta: float, configurations: int, epochs: int) -> None:
    rng = random.Random(seed)
    if configurations < eta:
        return
    scheduler = at_cost("asha", 2.0, configurations, epochs=epochs, reduction_factor=eta)
    done = dict.fromkeys((trial for group in groups_of(configurations).values() for trial in group), 0)
    running, reports, found = sorted(done), [], []
    while running:
        trial = rng.choice(running)
        done[trial] += 1
        value, cost, last = rng.random(), rng.expovariate(0.5), done[trial] == epochs
        reports.append((trial, done[trial], value, cost, last))
        if last:
            assert scheduler.finish(trial, epochs, value) == ()
            running.remove(trial)
            continue
        decision = scheduler.decide(trial, done[trial], value, {AXIS: cost})
        found += [(v.trial, v.rung, v.level, v.action is Action.GO_ON, v.cutoff) for v in decision.verdicts if v.level]
        if decision.action is Action.STOP:
            running.remove(trial)
    expected = slow_asha(reports, 2.0, eta)
    assert [one[:4] for one in found] == [one[:4] for one in expected]
    assert [one[4] for one in found] == pytest.approx([one[4] for one in expected])


@st.composite
def sweeps(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(list(SETTINGS)))
    held = name.startswith("asha") and draw(st.booleans())
    own = SETTINGS[name] | ({"seeds": [1, 2], "brackets": 1} if held and name == "asha" else {})
    return {
        "name": name, "own": own | ({"seeds": [1, 2]} if held else {}), "seeds": 2 if held else draw(st.integers(1, 2)),
        "grace": 1 if name == "median" else draw(st.integers(1, 3)), "cost": draw(st.sampled_from([0.1, 1.0, 3.7e12])),
        "configurations": draw(st.integers(4, 9)), "epochs": draw(st.integers(7, 9)), "seed": draw(st.integers(0, 99)),
        "fails": draw(st.booleans()) and not held,
    }  # fmt: skip


@examples(max_examples=80, deadline=None)
@given(sweeps())
def test_at_equal_costs_per_epoch_it_decides_as_at_epochs(made: dict[str, Any]) -> None:
    groups = groups_of(made["configurations"], made["seeds"])
    section = {"name": made["name"], "grace_period": made["grace"], **made["own"]}
    on_epochs = build(section, max_epochs=made["epochs"], groups=groups, mode="max")
    costly = {**section, "resource": AXIS, "grace_period": made["grace"] * made["cost"]}
    on_costs = build(costly, max_epochs=made["epochs"], groups=groups, mode="max")
    rng = random.Random(made["seed"])
    trials = [trial for group in groups.values() for trial in group]
    curves = {trial: [rng.random() for _ in range(made["epochs"])] for trial in trials}
    fails = {trials[0]: 2, trials[-1]: 5} if made["fails"] else {}
    charged = Charged(on_costs, {trial: [made["cost"]] * made["epochs"] for trial in trials})
    found = drive(charged, curves, seed=made["seed"], fails=fails)  # type: ignore[arg-type]
    expected = drive(on_epochs, curves, seed=made["seed"], fails=fails)
    assert found.ended == expected.ended

    def plain(verdict: Verdict) -> tuple[Any, ...]:
        return verdict.trial, verdict.action, verdict.rung, verdict.value, verdict.cutoff, verdict.bracket

    # Seeds that do not come to a rung at which their configuration is judged stand at their own epoch.
    expected_there = [plain(v) for v in expected.verdicts if "its configuration" not in v.reason or v.action == "pause"]
    found_there = [plain(v) for v in found.verdicts if "its configuration" not in v.reason or v.action == "pause"]
    assert found_there == expected_there


@examples(max_examples=60, deadline=None)
@given(st.sampled_from(list(SETTINGS)), st.integers(1, 3), st.integers(0, 999), st.booleans())
def test_any_costs_come_to_an_end_and_restore(name: str, seeds: int, seed: int, some_unmeasured: bool) -> None:
    rng = random.Random(seed)
    groups = groups_of(6, seeds)
    trials = [trial for group in groups.values() for trial in group]
    curves = {trial: [rng.random() for _ in range(rng.randint(2, 9))] for trial in trials}
    costs = {trial: [rng.expovariate(0.3) for _ in range(9)] for trial in trials}
    if some_unmeasured:
        costs[trials[0]][1] = costs[trials[-1]][0] = None  # type: ignore[call-overload]
    charged = Charged(at_cost(name, 1.5, seeds=seeds, **SETTINGS[name]), costs)
    outcome = drive(charged, curves, seed=seed, fails={trials[3 * seeds]: 2})  # type: ignore[arg-type]
    assert len(outcome.ended) == len(trials)
    state = json.loads(json.dumps(charged.state()))
    again = at_cost(name, 1.5, seeds=seeds, **SETTINGS[name])
    again.restore(state)
    assert again.state() == charged.state()
    if some_unmeasured:
        assert outcome.ended[trials[0]][0] == "finished" or outcome.ended[trials[0]][1] < 2


def test_a_report_that_passes_several_levels_is_judged_at_each_in_order() -> None:
    scheduler = at_cost("asha", 1.0, configurations=3, reduction_factor=2)
    first = scheduler.decide("c000-i0", 1, 0.5, {AXIS: 5.0})
    assert [(v.level, v.action, v.rung) for v in first.verdicts] == [(1, "go_on", 1), (2, "go_on", 1), (4, "go_on", 1)]
    assert first.action is Action.GO_ON
    worse = scheduler.decide("c001-i0", 1, 0.4, {AXIS: 3.0})
    assert [(v.level, v.action, v.cutoff) for v in worse.verdicts] == [(1, "stop", 0.5)]
    assert scheduler.decide("c001-i0", 1, 0.4, {AXIS: 99.0}) == Decision(worse.own), "a repeated report costs nothing"
    with pytest.raises(ReplayError, match=r"0\.3"):
        scheduler.decide("c001-i0", 1, 0.3, {AXIS: 3.0})


def test_a_seed_that_has_used_enough_for_the_next_level_waits_there_too() -> None:
    scheduler = at_cost("asha", 1.0, configurations=2, seeds=2, reduction_factor=2)
    ahead = scheduler.decide("c000-i0", 1, 0.5, {AXIS: 2.5})
    assert [(v.level, v.action) for v in ahead.verdicts] == [(1, "pause")]
    both = scheduler.decide("c000-i1", 1, 0.7, {AXIS: 1.5})
    assert [(v.trial, v.level, v.action, v.value) for v in both.verdicts] == [
        ("c000-i1", 1, "go_on", 0.6),
        ("c000-i0", 1, "go_on", 0.6),
        ("c000-i0", 2, "pause", None),
    ]
    last = scheduler.decide("c000-i1", 2, 0.9, {AXIS: 0.5})
    assert [(v.trial, v.level, v.action, v.rung) for v in last.verdicts] == [
        ("c000-i1", 2, "go_on", 2),
        ("c000-i0", 2, "go_on", 1),
    ]
    assert last.own.value == pytest.approx(0.7)
    assert tells(last.own.reason, "2 FLOP train_flops … used 2 FLOP")


def test_a_trial_that_ends_counts_beyond_with_its_last_value() -> None:
    scheduler = at_cost("asha", 1.0, configurations=3, reduction_factor=2)
    scheduler.decide("c000-i0", 1, 0.5, {AXIS: 1.0})
    assert scheduler.finish("c000-i0", 2, 0.8) == ()
    later = scheduler.decide("c001-i0", 1, 0.6, {AXIS: 2.0})
    assert [(v.level, v.action, v.cutoff) for v in later.verdicts] == [(1, "go_on", 0.5), (2, "stop", 0.8)]


@pytest.mark.parametrize("name", ["asha", "asha_promotion"])
def test_a_trial_that_was_not_measured_goes_on_unjudged_and_nobody_waits_for_it(name: str) -> None:
    scheduler = at_cost(name, 1.0, configurations=2, seeds=2, reduction_factor=2)
    assert scheduler.decide("c000-i0", 1, 0.5, {AXIS: 1.0}).action is Action.PAUSE
    unknown = scheduler.decide("c000-i1", 1, 0.5, {AXIS: None})
    assert [(v.trial, v.action, v.value) for v in unknown.verdicts] == [
        ("c000-i1", "go_on", None),
        ("c000-i0", "go_on", None),
    ]
    assert tells(unknown.own.reason, f"{AXIS} … c000-i1")
    assert scheduler.decide("c000-i1", 2, 0.1, {AXIS: 1.0}) == Decision(Verdict("c000-i1", Action.GO_ON))
    scheduler.decide("c001-i0", 1, 0.1, {AXIS: 1.0})
    assert scheduler.decide("c001-i1", 1, 0.1, {AXIS: 1.0}).action is Action.GO_ON


def test_levels_end_somewhere_and_quantities_have_units() -> None:
    assert levels(3.0, 3, skip=1)[:3] == (9, 27, 81)
    assert len(levels(1.0, 1.01)) == MOST_LEVELS
    assert levels(1.0, 10)[-1] == 1e9
    for resource, text, number in (("wall_s", "10m", 600), ("energy_j", "1 kWh", 3.6e6), (AXIS, "20 TFLOP", 2e13)):
        section = {"name": "asha", "resource": resource, "grace_period": text}
        assert scheduler_of(section).grace_period == number  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("section", "facts"),
    [
        ({"name": "asha", "resource": AXIS}, ("grace_period", "FLOP")),
        ({"name": "median", "resource": "wall_s"}, ("grace_period", "in s")),
        ({"name": "pasha", "resource": AXIS, "grace_period": 5}, ("epsilon", AXIS)),
        ({"name": "asha", "resource": "carbon_g", "grace_period": 5}, ("resource", "carbon_g")),
        ({"name": "asha", "resource": AXIS, "grace_period": "10 m"}, ("grace_period", "tflop")),
        ({"name": "asha", "grace_period": "10m"}, ("grace_period", "10m")),
        ({"name": "asha", "resource": AXIS, "grace_period": 0}, ("grace_period", "greater than 0")),
        ({"name": "sha", "resource": AXIS, "grace_period": 5}, ("resource", "grace_period")),
    ],
)
def test_what_does_not_fit_is_refused(section: dict[str, Any], facts: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        build(section, max_epochs=9, groups=groups_of(9), mode="max")
    assert all(tells(str(caught.value), fact) for fact in facts)


def test_a_default_of_one_epoch_is_no_level_but_a_level_of_one_is() -> None:
    with pytest.raises(FieldError):
        build({"name": "asha", "resource": "wall_s"}, max_epochs=9, groups=groups_of(9), mode="max")
    made = build(
        {"name": "asha", "resource": "wall_s", "grace_period": 1}, max_epochs=9, groups=groups_of(9), mode="max"
    )
    assert made.bracket_plan()[0].rungs[0].epoch == 1


def test_a_trial_that_reports_once_cannot_be_stopped() -> None:
    with pytest.raises(InputError, match=r"training\.epochs"):
        at_cost("asha", 1.0, epochs=1)


def test_many_rungs_are_passed_at_once() -> None:
    """A trial that ends early comes to hundreds of rungs."""
    scheduler = build({"name": "median"}, max_epochs=2000, groups=groups_of(5), mode="max")
    scheduler.decide("c000-i0", 1, 0.5)
    assert scheduler.finish("c000-i0", 2, 0.6) == ()
    for number in range(1, 4):
        assert scheduler.decide(f"c00{number}-i0", 1, 0.7).action is Action.GO_ON
    assert scheduler.decide("c004-i0", 1, 0.1).own.cutoff == pytest.approx(0.7)
