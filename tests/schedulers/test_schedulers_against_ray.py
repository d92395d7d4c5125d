"""Our decisions against Ray Tune's own classes, driven offline on recorded and synthetic learning curves.

ASHA with one bracket and the median rule must agree decision by decision. Ray's median rule may also pause a trial
while too few are known, if others wait for a worker: it is told of none that waits. Ours gets best values so far in a
sweep; both are given the same values here, of either kind. Of Ray's HyperBandScheduler only part is comparable:

* it fills the bracket without rungs first, ours the most exploring one: the brackets are fed in opposite orders here;
* it lets ceil(n / eta) go on where algorithm 1 has floor: compared where eta divides n;
* it computes n from a bracket's capacity, not from what entered: compared on full brackets;
* among equal values it keeps the later trial: compared without ties.
"""

from __future__ import annotations

import heapq
import json
from itertools import pairwise

import numpy as np
import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler, HyperBandScheduler, MedianStoppingRule, TrialScheduler

from greenexp.records.decision import Action
from greenexp.schedulers import build

EPOCHS = 27
OURS = {TrialScheduler.CONTINUE: Action.GO_ON, TrialScheduler.STOP: Action.STOP}


class StubTrial:
    """What Ray's schedulers touch of a trial."""

    is_saving = False

    def __init__(self, name: str) -> None:
        self.trial_id = name
        self.status = Trial.RUNNING


class StubController:
    """What Ray's HyperBandScheduler touches of Tune: a stopped trial leaves its bracket."""

    def __init__(self, scheduler: HyperBandScheduler | None = None) -> None:
        self.scheduler = scheduler

    def get_live_trials(self) -> list[StubTrial]:
        return []

    def stop_trial(self, trial: StubTrial) -> None:
        trial.status = Trial.TERMINATED
        self.scheduler.on_trial_remove(self, trial)


def recorded(path, count):
    """Dev accuracy after each 27th of every run's own schedule, interpolated between its evaluations."""
    curves = []
    for line in path.read_text().splitlines()[:count]:
        steps, scores = np.array(json.loads(line)["learning_curves"]["matched"]).T
        curves.append(np.interp(np.arange(1, EPOCHS + 1) / EPOCHS * steps[-1], steps, scores).tolist())
    return curves


def synthetic(count, seed):
    """Saturating curves that cross, rounded so that ties occur."""
    rng = np.random.default_rng(seed)
    height, speed = rng.uniform(0.3, 0.95, (count, 1)), rng.uniform(0.02, 1.5, (count, 1))
    noise = rng.normal(0, 0.02, (count, EPOCHS))
    return np.round(height * (1 - np.exp(-speed * np.arange(1, EPOCHS + 1))) + noise, 3).tolist()


def asynchronous_order(curves, workers, seed):
    """Yields (trial, epoch, value) as `workers` workers of random speed would report; send True to stop the trial."""
    rng = np.random.default_rng(seed)
    waiting = iter(range(len(curves)))
    events = [(rng.random(), trial, 1) for trial in (next(waiting, None) for _ in range(workers)) if trial is not None]
    heapq.heapify(events)
    while events:
        time, trial, epoch = heapq.heappop(events)
        stop = yield trial, epoch, curves[trial][epoch - 1]
        if stop or epoch == EPOCHS:
            trial, epoch = next(waiting, None), 0
        if trial is not None:
            heapq.heappush(events, (time + rng.uniform(0.2, 2.0) * (1 + trial % 7), trial, epoch + 1))


def agree_on_asha(curves, *, workers, seed, eta, grace, mode):
    """Number of decisions and of stops, all the same on both sides."""
    settings = {"name": "asha", "reduction_factor": eta, "grace_period": grace}
    theirs = ASHAScheduler(metric="m", mode=mode, max_t=EPOCHS, grace_period=grace, reduction_factor=eta, brackets=1)
    return agree(curves, settings, theirs, workers=workers, seed=seed, mode=mode)


def agree(curves, settings, theirs, *, workers, seed, mode):
    names = [f"t{i}" for i in range(len(curves))]
    ours = build(settings, max_epochs=EPOCHS, groups={name: [name] for name in names}, mode=mode)
    controller = StubController()
    trials = [StubTrial(name) for name in names]
    for trial in trials:
        theirs.on_trial_add(None, trial)
    order = asynchronous_order(curves, workers, seed)
    trial, epoch, value = next(order)
    decisions = stops = 0
    while True:
        stop = False
        if epoch < EPOCHS:
            said = ours.decide(names[trial], epoch, value)
            ray_said = theirs.on_trial_result(controller, trials[trial], {"training_iteration": epoch, "m": value})
            assert said.action is OURS[ray_said], (names[trial], epoch, value, said)
            assert said.others == ()
            stop = said.action is Action.STOP
            decisions, stops = decisions + 1, stops + stop
        try:
            trial, epoch, value = order.send(stop)
        except StopIteration:
            return decisions, stops


@pytest.mark.parametrize("model", ["deberta-base", "deberta-v3-base"])
@pytest.mark.parametrize(("workers", "eta", "grace"), [(16, 3, 1), (4, 4, 1), (16, 2.5, 2)])
def test_asha_agrees_on_a_thousand_recorded_curves(shared, model, workers, eta, grace):
    curves = recorded(shared(f"data/results_opda/deberta_{model}_tuning.results.jsonl"), 1000)
    decisions, stops = agree_on_asha(curves, workers=workers, seed=1, eta=eta, grace=grace, mode="max")
    assert len(curves) == 1000
    assert decisions > 1000
    assert 500 < stops < 1000


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize(("workers", "eta", "grace"), [(1, 3, 1), (16, 3, 1), (16, 2, 3), (64, 4, 5), (8, 3.5, 1)])
def test_asha_agrees_on_a_thousand_synthetic_curves(mode, workers, eta, grace):
    decisions, stops = agree_on_asha(synthetic(1000, workers), workers=workers, seed=2, eta=eta, grace=grace, mode=mode)
    assert decisions > 1000
    assert stops > 300


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("best_so_far", [True, False], ids=["best so far", "single epochs"])
@pytest.mark.parametrize(("workers", "grace", "units"), [(1, 1, 3), (8, 2, 1), (16, 5, 10)])
def test_the_median_rule_agrees_on_synthetic_curves(mode, best_so_far, workers, grace, units):
    # Ray adds up in another order: continuous values do not lie that near to a median.
    curves = np.array(synthetic(200, workers + 5)) + np.random.default_rng(0).uniform(0, 1e-6, (200, EPOCHS))
    if best_so_far:
        curves = (np.maximum if mode == "max" else np.minimum).accumulate(curves, axis=1)
    else:
        # Ray's best is over all epochs, ours over those from the grace period on.
        curves[:, : grace - 1] = curves[:, [grace - 1]]
    settings = {"name": "median", "grace_period": grace, "min_units": units}
    theirs = MedianStoppingRule("training_iteration", "m", mode, grace_period=grace, min_samples_required=units)
    decisions, stops = agree(curves.tolist(), settings, theirs, workers=workers, seed=3, mode=mode)
    assert decisions > 500
    assert 50 < stops < 200


def survivors(reached, rung):
    """Who reported an epoch after `rung`."""
    return {member for member, epoch in reached.items() if epoch > rung}


def ray_reaches(curves, brackets, mode):
    """Member -> last epoch it trains under Ray's scheduler; all running members report in step."""
    scheduler = HyperBandScheduler(metric="m", mode=mode, max_t=EPOCHS, reduction_factor=3)
    controller = StubController(scheduler)
    trials = {}
    for members in reversed(brackets):  # Ray begins with the bracket without rungs
        for member in members:
            trials[member] = StubTrial(f"t{member}")
            scheduler.on_trial_add(controller, trials[member])
    reached = {}
    for epoch in range(1, EPOCHS + 1):
        for member, trial in trials.items():
            if trial.status == Trial.RUNNING:
                reached[member] = epoch
                action = scheduler.on_trial_result(
                    controller, trial, {"training_iteration": epoch, "m": curves[member][epoch - 1]}
                )
                trial.status = {TrialScheduler.PAUSE: Trial.PAUSED, TrialScheduler.STOP: Trial.TERMINATED}.get(
                    action, Trial.RUNNING
                )
        for bracket in scheduler._hyperbands[0]:
            for trial in bracket.trials_to_unpause:
                trial.status = Trial.RUNNING
            bracket.trials_to_unpause.clear()
    return reached


def we_reach(curves, scheduler, names):
    """Member -> last epoch it trains under ours; all running members report in step."""
    reached, running = {}, dict.fromkeys(range(len(names)))
    for epoch in range(1, EPOCHS + 1):
        for member in list(running):
            reached[member] = epoch
            for verdict in scheduler.decide(names[member], epoch, curves[member][epoch - 1]).verdicts:
                if verdict.action is Action.STOP:
                    del running[names.index(verdict.trial)]
    return reached


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("source", ["recorded", "synthetic"])
def test_hyperband_agrees_where_ray_follows_the_paper(shared, source, mode):
    """A full band for R = 27, eta = 3: brackets of 27, 12, 6 and 4; the 12 only at their first rung."""
    sizes = [27, 12, 6, 4]
    count = sum(sizes)
    name = "data/results_opda/deberta_deberta-v3-base_tuning.results.jsonl"
    curves = recorded(shared(name), count) if source == "recorded" else synthetic(count, 3)
    curves = [[value + 1e-9 * number for value in values] for number, values in enumerate(curves)]  # no ties
    names = [f"t{i}" for i in range(count)]
    ours = build({"name": "hyperband"}, max_epochs=EPOCHS, groups={name: [name] for name in names}, mode=mode)
    assert [bracket.units for bracket in ours.bracket_plan()] == sizes
    starts = [0, 27, 39, 45, 49]
    brackets = [list(range(first, after)) for first, after in pairwise(starts)]

    us, them = we_reach(curves, ours, names), ray_reaches(curves, brackets, mode)
    for bracket, rung, going_on in [(0, 1, 9), (0, 3, 3), (0, 9, 1), (1, 3, 4), (2, 9, 2), (3, 26, 4)]:
        ours_left = survivors(us, rung) & set(brackets[bracket])
        assert ours_left == survivors(them, rung) & set(brackets[bracket])
        assert len(ours_left) == going_on
