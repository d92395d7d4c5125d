"""The interval of a price on every axis: the sweep is played through many times, with speeds drawn from what is known.

A draw has one error of the machine's speed, common to all trials (Student's t: `records.speeds.pooled`), an error of
each trial's, one of what a session takes besides its trials, and a score of each configuration, by which the sweep's
own scheduler decides (`timetable.play`). So the slots, the tail in which the last trials run alone, pauses and early
stopping are those of the sweep. The interval is from the 10 % to the 90 % quantile of the draws; what is expected on an
axis that is measured is their median, and on one that is counted the scheduler's own expectation.
It assumes what the scheduler's expectation assumes: that the order of configurations after one epoch is their order
after all, and that no trial fails or ends by its patience.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from greenexp.plan.flops import EpochFlops
from greenexp.plan.plans import Plan
from greenexp.plan.prices import Bound
from greenexp.plan.timetable import Course, Judge, Slots, play, play_all
from greenexp.records.axes import EPOCHS
from greenexp.records.objectives import SCORE, ObjectiveCosts
from greenexp.records.priced import WORKER
from greenexp.records.speeds import Overhead, Speeds, TrialKind, TrialSpeed
from greenexp.spec.accounting import CPU_TIME, ENERGY, GPU_TIME, carbon_g, money, priced

LOW, HIGH = 10, 90
"""Percentiles: an 80 % interval."""
MOST_DRAWS, FEWEST_DRAWS = 200, 40
DECISIONS = 10_000
"""Reports that are played through in all, as far as `FEWEST_DRAWS` allows it: about a second."""
SEEDS_APART = 0.3
"""Standard deviation of a seed's score over that of a configuration's."""
SETUP_SPREAD = 0.3
"""Standard deviation of the log of a trial's set-up time."""
Draws = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Work:
    """What a plan computes: of each trial its name, its FLOPs by report and its speed, None where it is not known.

    groups: configuration -> places of its trials; test_flops: of one trial's evaluation on test
    """

    plan: Plan
    names: Sequence[str]
    groups: Sequence[Sequence[int]]
    flops: Sequence[EpochFlops]
    speeds: Sequence[TrialSpeed | None]
    test_flops: float = 0.0
    overhead: Overhead = field(default_factory=lambda: Overhead(0.0, doubt=0.0))

    @property
    def timed(self) -> bool:
        """Whether every trial's speed is known."""
        return all(speed is not None for speed in self.speeds)


def work_of(plan: Plan, flops: Sequence[EpochFlops], test_flops: float, speeds: Speeds | None) -> Work:
    """All that is to be played through; configurations that the search has yet to propose are like the first."""
    known = speeds or Speeds()
    groups = plan.expected_groups
    names = [trial.trial for trial in plan.trials] if plan.complete else [t for g in groups.values() for t in g]
    places = {name: place for place, name in enumerate(names)}
    size = plan.spec.resources.packing
    shapes = [TrialKind.of(trial.settings, size) for trial in plan.trials]
    by_shape = {shape: known.of(shape) for shape in dict.fromkeys(shapes)}
    own = [by_shape[shapes[place % len(shapes)]] for place in range(len(names))]
    members = [[places[name] for name in group] for group in groups.values()]
    overhead = known.overhead or Overhead(0.0, doubt=0.0)
    return Work(plan, names, members, flops, own, test_flops, overhead)


def estimated(work: Work, *, judged: bool, stops: bool) -> tuple[dict[str, Bound], Bound]:
    """(bounds of the axes that can be told, worker seconds).

    judged: whether the scheduler can be played through; stops: whether it has rungs, else it decides nothing
    Of axes without a unit of measurement `most` is left None, as it is known without any draw.
    """
    rng = np.random.default_rng(np.random.SeedSequence((32, len(work.names))))
    reports = sum(len(each.training) for each in work.flops)
    draws = min(MOST_DRAWS, max(FEWEST_DRAWS, DECISIONS // max(1, reports)))
    if not (stops or work.timed):
        return {}, Bound(None, None)
    played: list[dict[str, float]] = []
    whole: list[dict[str, float]] = []
    for _ in range(draws):
        drawn = _drawn(work, rng)
        judge = _judge(work, rng) if judged and stops else None
        whole.append(_amounts(work, drawn, play_all(drawn.slots)))
        played.append(whole[-1] if judge is None else _amounts(work, drawn, play(drawn.slots, judge)))
    bounds = dict(_bounds(work, _columns(played), _columns(whole), judged=judged))
    return bounds, bounds.pop(WORKER, Bound(None, None))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """slots: with the seconds of one draw; rates: seconds per FLOP of evaluation; outside: factor of the overhead."""

    slots: Slots
    eval_rate: float
    outside: float
    power: float


def _drawn(work: Work, rng: np.random.Generator) -> _Drawn:
    """One draw of everything that takes time; of a sweep whose speed is not known every report takes its FLOPs."""
    resources, per_epoch = work.plan.spec.resources, work.plan.spec.training.reports_per_epoch
    known = [speed for speed in work.speeds if speed is not None]
    freedom = min((speed.freedom for speed in known), default=1.0)
    error, ratio_error, power = rng.standard_t(freedom), rng.standard_normal(), rng.standard_normal()
    apart, setup = rng.standard_normal(len(work.names)), rng.standard_normal(len(work.names))
    seconds, setups, rate = [], [], 0.0
    for place, (flops, speed) in enumerate(zip(work.flops, work.speeds, strict=True)):
        if speed is None or not work.timed:
            seconds.append([float(each) for each in flops.training])
            setups.append(0.0)
            continue
        ratio = speed.eval_ratio * np.exp(speed.eval_spread * ratio_error)
        common = float(speed.per_flop(ratio) * np.exp(speed.doubt * error))
        own = float(np.exp(speed.spread * apart[place] - speed.spread**2 / 2))
        rate = float(common * ratio)
        pairs = zip(flops.training, flops.evaluation, strict=True)
        besides = speed.report_s + work.overhead.gap_s
        seconds.append([own * (common * train + rate * held) + besides for train, held in pairs])
        setups.append(float(speed.setup_s * np.exp(SETUP_SPREAD * setup[place] - SETUP_SPREAD**2 / 2)))
    outside = float(np.exp(work.overhead.doubt * rng.standard_normal()))
    warm_s = work.overhead.warm_s * outside if work.timed else 0.0
    slots = Slots(work.names, seconds, setups, resources.workers, per_epoch, warm_s)
    return _Drawn(slots, rate, outside, float(power))


def _judge(work: Work, rng: np.random.Generator) -> Judge:
    values = rng.normal(0.0, SEEDS_APART, len(work.names))
    for members in work.groups:
        values[list(members)] += rng.standard_normal()
    costs = [name for name in work.plan.spec.objectives if name != SCORE]
    told = [ObjectiveCosts(dict(zip(costs, rng.random(len(costs)).tolist(), strict=True))) for _ in values]
    flops = [each.training for each in work.flops]
    return Judge(work.plan.expected_scheduler(), values.tolist(), flops, told if costs else ())


def _amounts(work: Work, drawn: _Drawn, course: Course) -> dict[str, float]:
    """What one course of the sweep uses, by axis and `worker_s`."""
    resources, accounting = work.plan.spec.resources, work.plan.spec.accounting
    pairs = list(zip(work.flops, course.reports, strict=True))
    found = {
        "trials": float(sum(made > 0 for made in course.reports)),
        "epochs": sum(course.reports) / drawn.slots.per_epoch,
        "train_flops": float(sum(sum(flops.training[:made]) for flops, made in pairs)),
    }
    if not work.timed:
        return found
    speeds = [speed for speed in work.speeds if speed is not None]
    held = sum(course.held_s)
    chosen = max(map(len, work.groups), default=0) if work.test_flops else 0
    test_s = chosen * (work.test_flops * drawn.eval_rate + work.overhead.test_s * drawn.outside)
    found["wall_s"] = work.overhead.start_s * drawn.outside + course.elapsed_s + test_s
    found[WORKER] = held
    found["gpu_s"] = held * resources.gpus_per_trial
    shares = [resources.cpus_per_trial if speed.cpu_share is None else speed.cpu_share for speed in speeds]
    found["cpu_s"] = sum(share * each for share, each in zip(shares, course.held_s, strict=True))
    watts = [speed.watts for speed in speeds]
    if all(each is not None for each in watts):
        factors = (float(np.exp(speed.power_doubt * drawn.power)) for speed in speeds)
        parts = zip(watts, factors, course.held_s, strict=True)
        found["energy_j"] = sum((each or 0.0) * factor * held_s for each, factor, held_s in parts)
        grams = carbon_g(found["energy_j"], accounting)
        if grams is not None:
            found["carbon_g"] = grams
    amounts = {GPU_TIME: found["gpu_s"], CPU_TIME: held * resources.cpus_per_trial, ENERGY: found.get("energy_j")}
    stated = priced(accounting)
    if stated and all(amounts[what] is not None for what in stated):
        found["money"] = money({what: amounts[what] or 0.0 for what in stated}, accounting)
    return found


def _columns(rows: Sequence[Mapping[str, float]]) -> Draws:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _bounds(work: Work, played: Draws, whole: Draws, *, judged: bool) -> Iterator[tuple[str, Bound]]:
    sources = "; ".join(dict.fromkeys(speed.source for speed in work.speeds if speed is not None))
    counted = ("trials", "epochs", "train_flops")
    for axis, values in played.items():
        low, high = (float(each) for each in np.percentile(values, (LOW, HIGH)))
        most = None if axis in counted else float(np.percentile(whole[axis], HIGH))
        expected = float(np.median(values))  # the logarithm is Student's t: there is no mean
        if judged:
            low, high = min(low, expected), max(high, expected)
            yield axis, Bound(most, expected, low=low, high=high, source="" if axis in counted else sources)
        elif axis not in counted:
            yield axis, Bound(most, None, source=sources)


def resource_is_played(resource: str) -> bool:
    """Whether it is known beforehand at which report a trial comes to a rung on this axis."""
    return resource in (EPOCHS, "train_flops")


def flops_on_test(flops: EpochFlops, data: Any) -> float:
    """FLOPs of evaluating one trial on test, from those on dev, by the numbers of examples; 0.0 without a test set."""
    if data.test is None or not len(data.dev) or not flops.evaluation:
        return 0.0
    return flops.evaluation[-1] * len(data.test) / len(data.dev)
