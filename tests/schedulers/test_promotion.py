"""Promotion: against the paper's algorithm with workers, and against the rules written out by brute force."""

from __future__ import annotations

import heapq
import math
import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduler_driving import drive, groups_of, scheduler_for

from greenexp.errors import InputError
from greenexp.records.decision import Action
from greenexp.schedulers import build
from greenexp.schedulers.asha_promotion import AshaPromotion
from greenexp.schedulers.pasha import Pasha
from greenexp.schedulers.ranking import crossed_twice, crossing_distance, same_order

GO_ON, PAUSE, STOP = Action.GO_ON, Action.PAUSE, Action.STOP
several = settings(max_examples=60, deadline=None)
values = st.integers(0, 8).map(lambda i: i / 8)


def a_curve(rng: random.Random, epochs: int) -> list[float]:
    """Distinct with near certainty, and in another order at every epoch."""
    return [rng.random() for _ in range(epochs)]


# -------------------------------------------------------------------------------------- the paper's algorithm 2


def jobs_of_the_paper(curves, rungs, eta, workers, lengths):
    """(unit, rung) in the order in which workers take them up, until a worker finds none: algorithm 2, literally."""
    seen, promoted = [[] for _ in rungs], [set() for _ in rungs]
    running, taken, new = [], [], iter(curves)

    def get_job():
        for level in reversed(range(len(rungs))):
            ranked = sorted(seen[level], key=lambda unit: -curves[unit][rungs[level] - 1])
            best = ranked[: math.floor(len(ranked) / eta)]
            for unit in best:
                if unit not in promoted[level]:
                    promoted[level].add(unit)
                    return unit, level + 1
        unit = next(new, None)
        return None if unit is None else (unit, 0)

    def take(now):
        job = get_job()
        if job is None:
            return False
        taken.append(job)
        heapq.heappush(running, (now + lengths[job], job))
        return True

    assert all(take(0.0) for _ in range(workers))
    while running:
        now, (unit, level) = heapq.heappop(running)
        if level < len(rungs):
            seen[level].append(unit)
        if not take(now):
            return taken
    return taken


def our_jobs(curves, rungs, settings, max_epochs, workers, lengths):
    """The same of ours: a free worker takes what was released, else the next unit."""
    groups = {unit: [unit] for unit in curves}
    scheduler = build(settings, max_epochs=max_epochs, groups=groups, mode="max", later=1)
    running, taken, released, new = [], [], [], iter(curves)
    level = dict.fromkeys(curves, 0)

    def take(now):
        unit = released.pop(0) if released else next(new, None)
        if unit is not None:
            taken.append((unit, level[unit]))
            heapq.heappush(running, (now + lengths[unit, level[unit]], (unit, level[unit])))

    for _ in range(workers):
        take(0.0)
    while running:
        now, (unit, at) = heapq.heappop(running)
        if at < len(rungs):
            decision = scheduler.decide(unit, rungs[at], curves[unit][rungs[at] - 1])
            goes_on = [verdict.trial for verdict in decision.verdicts if verdict.action is GO_ON]
            assert len(goes_on) <= 1, "an arrival frees one worker, and lets one unit go on at most"
            for one in goes_on:
                level[one] += 1
            released += goes_on
        take(now)
    return taken


@several
@given(st.integers(1, 6), st.sampled_from([2, 3, 4]), st.integers(0, 10**6))
def test_workers_take_up_what_the_papers_workers_do(workers, eta, seed):
    rng = random.Random(seed)
    curves = {f"u{i}": a_curve(rng, 27) for i in range(40)}
    rungs = [eta**k for k in range(4) if eta**k < 27]
    lengths = {(unit, level): rng.uniform(0.5, 3.0) for unit in curves for level in range(len(rungs) + 1)}
    theirs = jobs_of_the_paper(curves, rungs, eta, workers, lengths)
    ours = our_jobs(curves, rungs, {"name": "asha_promotion", "reduction_factor": eta}, 27, workers, lengths)
    assert len(theirs) > 40
    assert ours[: len(theirs)] == theirs


# ---------------------------------------------------------------------------------------------- what holds at the end


@several
@given(
    st.lists(st.lists(values, min_size=9, max_size=9), min_size=3, max_size=14),
    st.sampled_from([2.0, 2.5, 3.0]),
    st.integers(1, 5),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_nothing_is_stopped_that_would_have_gone_on(curves, eta, workers, seed, is_open):
    trials = {f"c{i:03d}-i0": curve for i, curve in enumerate(curves)}
    (first, own), *others = groups_of(len(curves)).items()
    groups = {first: own} if is_open else {first: own, **dict(others)}
    chosen = {"name": "asha_promotion", "reduction_factor": eta}
    later = len(others) if is_open else 0
    scheduler = build(chosen, max_epochs=9, groups=groups, mode="max", later=later)
    outcome = drive(scheduler, trials, workers=workers, seed=seed, later=dict(others) if is_open else None)
    rungs = [rung.epoch for rung in scheduler.bracket_plan()[0].rungs]
    here = list(trials)
    for rung in rungs:
        final = {v.trial: v for v in outcome.verdicts if v.rung == rung and v.action is not PAUSE}
        assert set(final) == set(here), "whoever comes to a rung goes on or is stopped there"
        value = {trial: trials[trial][rung - 1] for trial in here}
        ranked = sorted(here, key=lambda trial: (-value[trial], trial))
        going_on = {trial for trial in here if final[trial].action is GO_ON}
        assert set(ranked[: math.floor(len(here) / eta)]) <= going_on
        assert going_on
        verdicts = [v for v in outcome.verdicts if v.rung == rung]
        first_stop = next((i for i, v in enumerate(verdicts) if v.action is STOP), len(verdicts))
        reported = [v.trial for v in verdicts[:first_stop] if v.action is PAUSE]
        came = (
            set(reported) | {v.trial for v in verdicts[:first_stop]} | {v.trial for v in verdicts if v.action is STOP}
        )
        assert came == set(here), "the first is stopped when the last has come"
        here = [trial for trial in here if trial in going_on]
    assert all(outcome.ended[trial] == ("finished", 9) for trial in here)


def test_whoever_waits_goes_on_when_more_have_come():
    scheduler = scheduler_for("asha_promotion", 6)
    said = [scheduler.decide(f"c{i:03d}-i0", 1, value) for i, value in enumerate([0.5, 0.4, 0.3])]
    assert [one.action for one in said] == [PAUSE, PAUSE, PAUSE]
    assert [(v.trial, v.action, v.cutoff) for v in said[2].others] == [("c000-i0", GO_ON, 0.5)]
    fourth = scheduler.decide("c003-i0", 1, 0.9)
    assert (fourth.action, fourth.own.cutoff, fourth.others) == (GO_ON, 0.9, ())
    assert scheduler.decide("c004-i0", 1, 0.1).verdicts[0].action is PAUSE
    last = scheduler.decide("c005-i0", 1, 0.2)
    assert [v.trial for v in last.verdicts if v.action is STOP] == [f"c{i:03d}-i0" for i in (5, 1, 2, 4)]
    assert last.action is STOP
    assert [v.cutoff for v in last.verdicts] == [0.5] * 4


def test_of_a_final_rung_that_promoted_nobody_the_best_goes_on():
    scheduler = scheduler_for("asha_promotion", 3)
    for i, value in enumerate([0.1, 0.5, 0.3]):
        said = scheduler.decide(f"c{i:03d}-i0", 1, value)
    assert {v.trial: v.action for v in said.verdicts} == {
        "c000-i0": STOP, "c001-i0": GO_ON, "c002-i0": STOP,
    }  # fmt: skip
    alone = scheduler.decide("c001-i0", 3, 0.2)
    assert (alone.action, alone.own.reason) == (GO_ON, "the best of all 1")


def test_a_rung_without_an_end_stops_nobody_until_it_is_told():
    scheduler = build({"name": "asha_promotion"}, max_epochs=9, groups={"a": ["a"]}, mode="max", later=math.inf)
    scheduler.decide("a", 1, 0.1)
    for name in "bcdefg":
        scheduler.enter(name, [name])
        said = scheduler.decide(name, 1, 0.5)
        assert not [verdict for verdict in said.verdicts if verdict.action is STOP]
    closed = scheduler.close()
    assert {verdict.action for verdict in closed} == {STOP}
    assert len(closed) == 5
    assert scheduler.close() == ()
    scheduler.enter("late", ["late"])
    assert scheduler.decide("late", 1, 0.7).action is GO_ON, "a search may be given more samples"


def test_a_failed_unit_counts_and_never_goes_on():
    scheduler = scheduler_for("asha_promotion", 6)
    scheduler.decide("c000-i0", 1, 0.2)
    assert scheduler.withdraw("c001-i0", "died") == ()
    assert scheduler.decide("c002-i0", 1, math.nan).action is STOP
    assert scheduler.decide("c003-i0", 1, 0.1).verdicts[0].action is PAUSE
    assert scheduler.withdraw("c004-i0", "died") == ()
    assert [(v.trial, v.action) for v in scheduler.withdraw("c005-i0", "died")] == [("c003-i0", GO_ON)]


def test_a_waiting_unit_that_fails_is_stopped_and_lets_nobody_past():
    run = AshaPromotion().start(list("abcdef"), max_epochs=9)
    for unit, value in zip("abc", (0.3, 0.2, 0.1), strict=True):
        run.arrive(unit, value)
    assert run.next_rung("a").epoch == 3
    (verdict,) = run.arrive("b", None, "a seed failed")
    assert (verdict.unit, verdict.go_on, verdict.value) == ("b", False, None)
    assert run.next_rung("b") is None
    promoted = [v.unit for unit in "def" for v in run.arrive(unit, 0.05) if v.go_on]
    assert promoted == ["c"]


# --------------------------------------------------------------------------------------------------------------- pasha


class PashaByHand:
    """The rule of the card, worked out anew from all values after every one that comes."""

    def __init__(self, names, rungs, eta, epsilon):
        self.names, self.rungs, self.eta, self.epsilon = names, rungs, eta, epsilon
        self.curves = {name: [] for name in names}
        self.at = [[] for _ in rungs]  # in the order of coming
        self.promoted = [[] for _ in rungs]
        self.top = 1

    def noise(self):
        if self.epsilon is not None:
            return self.epsilon
        below = self.rungs[self.top - 1]
        distances = []
        for a, b in combinations([c for c in self.curves.values() if len(c) > below], 2):
            end = min(len(a), len(b)) - 1
            for early in range(end):
                for late in range(early + 1, end):
                    signs = {np.sign(a[end] - b[end]), np.sign(a[early] - b[early]), -np.sign(a[late] - b[late])}
                    if len(signs) == 1 and 0 not in signs:
                        distances.append((abs(a[end] - b[end]), id(a), id(b)))
        kept = [distance for distance, _, _ in dict.fromkeys(distances)]
        return np.percentile(kept, 90) if kept else 0.0

    def settled(self):
        here = sorted(self.at[self.top], key=self.names.index)
        low, high = ({n: self.curves[n][self.rungs[at] - 1] for n in here} for at in (self.top - 1, self.top))
        epsilon = self.noise()
        before, after = (sorted(here, key=lambda n: -value[n]) for value in (low, high))
        groups = [{n for n in here if abs(low[n] - low[leader]) <= epsilon} for leader in before]
        return all(name in group for name, group in zip(after, groups, strict=True))

    def come(self, name, value):
        """Who goes on beyond a rung because of this value."""
        self.curves[name].append(value)
        epoch = len(self.curves[name])
        if epoch not in self.rungs:
            return []
        level = self.rungs.index(epoch)
        self.at[level].append(name)
        if level == self.top and not self.settled():
            self.top += 1
        if level >= self.top:
            return []
        ranked = sorted(self.at[level], key=lambda n: (-self.curves[n][epoch - 1], self.names.index(n)))
        best = ranked[: math.floor(len(ranked) / self.eta)]
        going_on = [n for n in best if n not in self.promoted[level]]
        self.promoted[level] += going_on
        return going_on


@several
@given(st.sampled_from([None, 0.0, 0.1, 0.3]), st.sampled_from([2.0, 3.0]), st.booleans(), st.integers(0, 10**6))
def test_pasha_is_its_rule_by_brute_force(epsilon, eta, ties, seed):
    rng = random.Random(seed)
    names = [f"u{i}" for i in range(24)]
    level = {name: rng.random() for name in names}
    noise = rng.choice([0.0, 0.02, 0.3])
    curves = {n: [level[n] + rng.gauss(0, noise) for _ in range(27)] for n in names}
    if ties:
        curves = {n: [round(value * 8) / 8 for value in curve] for n, curve in curves.items()}
    run = Pasha(reduction_factor=eta, epsilon=epsilon).start(names, max_epochs=27, later=1)
    rungs = [rung for rung in (round(eta**k) for k in range(6)) if rung < 27]
    by_hand = PashaByHand(names, rungs, eta, epsilon)
    ready = list(names)
    while ready:
        name = ready.pop(rng.randrange(len(ready)))
        while True:  # as far as the next rung at most, then in any order
            epoch = len(by_hand.curves[name]) + 1
            if epoch > 26 or run.next_rung(name) is None:
                break
            expected = by_hand.come(name, curves[name][epoch - 1])
            if run.next_rung(name).epoch > epoch:
                assert expected == []
                continue
            verdicts = run.arrive(name, curves[name][epoch - 1])
            between = [v.unit for v in verdicts if v.rung not in rungs]
            assert between == ([] if epoch in rungs else [name])
            assert [v.unit for v in verdicts if v.rung in rungs] == expected
            assert all(v.go_on for v in verdicts)
            ready += expected
            if epoch in rungs:
                break
    assert run._top == by_hand.top


def test_pasha_opens_no_rung_while_the_order_is_settled_and_all_while_it_is_not():
    settled = {f"c{i:03d}-i0": [i / 30 + e / 1000 for e in range(27)] for i in range(27)}
    ended = drive(scheduler_for("pasha", 27, max_epochs=27), settled, workers=1, seed=1).ended
    assert ended["c026-i0"] == ("finished", 27)
    assert sorted({epochs for how, epochs in ended.values() if how == "stopped"}) == [1, 3]
    unsettled = {trial: [-v if e >= 1 else v for e, v in enumerate(curve)] for trial, curve in settled.items()}
    turned = {
        t: [v * (-1) ** len([r for r in (3, 9) if e >= r - 1]) for e, v in enumerate(c)] for t, c in settled.items()
    }
    for curves in (unsettled, turned):
        ended = drive(scheduler_for("pasha", 27, max_epochs=27, epsilon=0.0), curves, workers=1, seed=1).ended
        assert max(epochs for how, epochs in ended.values() if how == "stopped") >= 9
    ended = drive(scheduler_for("pasha", 27, max_epochs=27, epsilon=9.0), turned, workers=1, seed=1).ended
    assert sorted({epochs for how, epochs in ended.values() if how == "stopped"}) == [1, 3]


def test_rankings_agree_up_to_epsilon():
    assert same_order([], 0.0)
    assert same_order([(0.1, 0.5)], 0.0)
    assert same_order([(0.1, 0.5), (0.2, 0.6)], 0.0)
    assert not same_order([(0.1, 0.7), (0.2, 0.6)], 0.0)
    assert same_order([(0.1, 0.7), (0.2, 0.6)], 0.1)
    assert not same_order([(0.1, 0.9), (0.15, 0.7), (0.2, 0.6)], 0.06), "the first is two places away"


@several
@given(st.lists(st.lists(values, max_size=6), max_size=6))
def test_the_noise_is_that_of_curves_that_cross_twice(curves):
    distances = []
    for a, b in combinations(curves, 2):
        both = list(zip(a, b, strict=False))
        orders = "".join("<=>"[1 + (x > y) - (x < y)] for x, y in both)
        last = orders[-1:]
        other = {"<": ">", ">": "<"}.get(last)
        turned = other is not None and last in orders[: max(orders.rfind(other), 0)]
        assert crossed_twice(a, b) == turned
        if turned:
            distances.append(abs(both[-1][0] - both[-1][1]))
    expected = np.percentile(distances, 90) if distances else 0.0
    assert crossing_distance(curves) == pytest.approx(expected)


def test_a_negative_epsilon_is_refused():
    with pytest.raises(InputError, match="epsilon"):
        scheduler_for("pasha", epsilon=-0.1)
