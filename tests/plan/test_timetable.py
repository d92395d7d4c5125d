"""Sweeps played through: slots, the tail, set-ups, pauses, by hand; and the intervals that come of many of them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from made_speeds import Alike, exactly

from greenexp.plan import Plan, Price, make_plan, prepare_data, price_plan
from greenexp.plan.flops import epoch_flops
from greenexp.plan.timetable import Judge, Slots, play, play_all
from greenexp.records.speeds import Overhead, Speeds, TrialKind
from greenexp.schedulers import build
from greenexp.spec import load_sweep
from greenexp.tasks.tokens import TokenisedTask

TEXT = """name: played
task: {name: clauses, train: 32, dev: 20, test: 20}
backbone: {name: bert, layers: 2, hidden: 16, heads: 2, intermediate: 24, max_positions: 40}
training: {epochs: 4, batch_size: 8, learning_rate: 1e-3, max_length: 24}
space: {training.learning_rate: {dist: loguniform, low: 1e-4, high: 1e-2}}
search: {name: random, samples: 8}
"""
ASHA = "scheduler={name: asha, reduction_factor: 2}"


def plan(*overrides: str) -> Plan:
    return make_plan(load_sweep(TEXT, overrides))


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    return prepare_data(plan().trials[0].settings)


def priced(data: TokenisedTask, speeds: Speeds | None, *overrides: str) -> Price:
    return price_plan(plan(*overrides), lambda settings: data, speeds=speeds)


def judge(settings: dict[str, Any], values: list[float], epochs: int) -> Judge:
    names = [f"t{place}" for place in range(len(values))]
    scheduler = build(settings, max_epochs=epochs, groups={name: [name] for name in names}, mode="max")
    return Judge(scheduler, values, [[1.0] * epochs] * len(names))


def slots(trials: int, epochs: int, workers: int, setup: float = 0.0) -> Slots:
    return Slots([f"t{place}" for place in range(trials)], [[1.0] * epochs] * trials, [setup] * trials, workers)


def test_the_last_trials_run_alone() -> None:
    whole = slots(5, 2, 2, setup=0.5)
    for course in (play_all(whole), play(whole, judge({"name": "fifo"}, [0.0] * 5, 2))):
        assert course.elapsed_s == 3 * 2.5
        assert list(course.reports) == [2] * 5
        assert math.fsum(course.held_s) == 5 * 2.5


def test_one_that_is_stopped_makes_room_and_one_that_waits_frees_its_slot() -> None:
    halving = judge({"name": "sha", "reduction_factor": 2, "grace_period": 1}, [0.1, 0.4, 0.3, 0.2], 4)
    course = play(slots(4, 4, 2), halving)
    assert list(course.reports) == [1, 4, 2, 1]
    assert course.elapsed_s == 2 + 1 + 2, "two rounds to epoch 1, two trials to epoch 2, one alone to epoch 4"
    again = play(slots(4, 4, 2, setup=0.5), dataclasses.replace(halving, scheduler=judge(
        {"name": "sha", "reduction_factor": 2, "grace_period": 1}, halving.values, 4).scheduler))  # fmt: skip
    assert math.fsum(again.held_s) == 8 + 0.5 * (4 + 2 + 1), "whoever goes on after a pause is set up anew"


def test_a_worker_warms_up_once_whatever_it_runs_later() -> None:
    cold = dataclasses.replace(slots(4, 4, 2), warm_s=3.0)
    halving = judge({"name": "sha", "reduction_factor": 2, "grace_period": 1}, [0.1, 0.4, 0.3, 0.2], 4)
    assert math.fsum(play(cold, halving).held_s) == 8 + 2 * 3.0, "the two that go on are not warmed up again"
    whole = play(dataclasses.replace(cold, workers=3), judge({"name": "fifo"}, [0.0] * 4, 4))
    assert math.fsum(whole.held_s) == 16 + 3 * 3.0
    assert play_all(dataclasses.replace(cold, workers=3)).elapsed_s == whole.elapsed_s


def test_early_stopping_has_an_interval_and_what_is_certain_has_none(data: TokenisedTask) -> None:
    stopping, whole = priced(data, None, ASHA), priced(data, None)
    for axis in ("epochs", "train_flops"):
        bound = stopping.bounds[axis]
        assert bound.low is not None
        assert bound.high is not None
        assert bound.low <= (bound.expected or 0.0) <= bound.high <= (bound.most or 0.0)
        assert bound.low < bound.high
        assert whole.bounds[axis].interval == (whole.bounds[axis].most,) * 2
    assert stopping == priced(data, None, ASHA), "equal plans have equal prices"


def test_the_doubt_of_a_speed_is_that_of_the_price(data: TokenisedTask) -> None:
    exact = exactly(1e-9).speed
    doubted = Alike(speed=dataclasses.replace(exact, doubt=0.2, freedom=1e6))
    low, high = priced(data, doubted).worker_s.interval or (0.0, 0.0)
    assert math.log(high / low) == pytest.approx(2 * 1.2816 * 0.2, rel=0.2)
    few = priced(data, Alike(speed=dataclasses.replace(doubted.speed, freedom=3))).worker_s.interval or (0.0, 1.0)
    assert few[1] / few[0] > high / low


def test_a_session_s_own_time_is_in_the_price(data: TokenisedTask) -> None:
    speeds = exactly(1e-9)
    bare = priced(data, speeds, "resources.workers=2")
    overhead = Overhead(start_s=10.0, warm_s=3.0, gap_s=0.25, test_s=2.0, doubt=0.0)
    more = priced(data, dataclasses.replace(speeds, overhead=overhead), "resources.workers=2")
    own = (more.bounds["wall_s"].expected or 0.0) - (bare.bounds["wall_s"].expected or 0.0)
    assert own == pytest.approx(10 + 3 + 16 * 0.25 + 2, rel=0.01), "16 of 32 reports are made by either worker"
    held = (more.worker_s.expected or 0.0) - (bare.worker_s.expected or 0.0)
    assert held == pytest.approx(2 * 3 + 32 * 0.25, rel=0.01)


def test_evaluation_on_test_takes_time_and_no_training(data: TokenisedTask) -> None:
    without = dataclasses.replace(data, test=None)
    more, less = (price_plan(plan(), lambda settings, own=own: own, speeds=exactly(1e-9)) for own in (data, without))
    flops = epoch_flops(plan().trials[0], data).evaluation[-1]  # dev and test have as many rows
    longer = (more.bounds["wall_s"].expected or 0.0) - (less.bounds["wall_s"].expected or 0.0)
    assert longer == pytest.approx(flops * 1e-9)
    assert more.worker_s == less.worker_s


def test_nothing_is_priced_from_a_part_of_the_trials(data: TokenisedTask) -> None:
    space = ("space={training.max_length: {dist: choice, values: [16, 24]}}", "search={name: grid}")
    size = plan().spec.resources.packing
    shapes = [TrialKind.of(trial.settings, size) for trial in plan(*space).trials]
    known = Speeds({shapes[0]: exactly(1e-9).speed})
    price = price_plan(plan(*space), lambda settings: data, speeds=known)
    assert price.bounds["wall_s"].expected is None
    assert "length" in price.bounds["wall_s"].reason


def test_the_price_that_the_journal_keeps_is_that_of_what_is_known(data: TokenisedTask) -> None:
    facts = priced(data, exactly(1e-9), ASHA).facts()
    assert set(facts) == {"trials", "epochs", "train_flops", "wall_s", "worker_s", "cpu_s", "gpu_s"}
    assert facts["trials"]["low"] == facts["trials"]["high"] == 8
    assert facts["wall_s"]["source"] == "made"


@pytest.mark.parametrize(
    "scheduler",
    ["{name: sha, seeds: [1, 2]}", "{name: hyperband}", "{name: pasha}", "{name: median}", "{name: seed_racing}",
     "{name: asha_promotion}"],
)  # fmt: skip
def test_every_scheduler_can_be_played(scheduler: str, data: TokenisedTask) -> None:
    price = priced(data, exactly(1e-9), f"scheduler={scheduler}", "seeds.initialisation=2")
    low, high = price.bounds["wall_s"].interval or (0.0, 0.0)
    assert 0 < low <= (price.bounds["wall_s"].expected or 0.0) <= high <= (price.bounds["wall_s"].most or 0.0) * 1.001


def test_several_objectives_can_be_played(data: TokenisedTask) -> None:
    price = priced(data, exactly(1e-9), "scheduler={name: mo_halving}", "objectives=[score, inference_flops]")
    assert price.bounds["wall_s"].interval is not None
