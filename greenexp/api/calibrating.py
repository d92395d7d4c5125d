"""What is known of this machine's speed before a sweep runs: from sweeps on record, and from a calibration."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from greenexp.errors import GreenexpError
from greenexp.records.speeds import (
    BUSY,
    OTHER_PACKING,
    PRIOR_FREEDOM,
    Overhead,
    Speeds,
    TrialKind,
    TrialSpeed,
    busy_doubt,
    spread_of,
)

if TYPE_CHECKING:
    from greenexp.api.watching import Watcher
    from greenexp.plan.data import Prepare
    from greenexp.plan.plans import Plan
    from greenexp.records.sections import Packing
    from greenexp.records.trial import TrialSpec
    from greenexp.training.busy_workers import Calibration
    from greenexp.training.calibration import SpeedLook

TOTAL_S = 50.0
"""Of a calibration, from its first process to its last number."""
MOST_SHAPES = 12
"""That are measured; others are priced after the one most like them."""
RAY_START = 2.0
"""Seconds of a session besides its trials, as a multiple of what a process of the calibration takes to start.

It starts Ray, then workers, which import what such a process does, and writes its end: 6.4 s against 3.15 s on two
idle cores.
"""
CALIBRATION_FLOOR = 0.2
"""Least sd of the log of a sweep's speed over that of its calibration: see docs/decisions/0032."""
START_DOUBT = 0.35
"""Sd of the log of a session's start over what a calibration says of it."""


def known_speeds(
    planned: Plan, prepare: Prepare, watch: Watcher, measured_in: str | Path | None, *, calibrate: bool
) -> Speeds:
    """The speeds of the plan's trials, from sweeps on record first; of other trials by calibration, if asked."""
    from greenexp.meters.machine import machine_facts
    from greenexp.sources.recorded_speed import recorded_speeds

    recorded = recorded_speeds(machine_facts(), measured_in, _device(planned))
    if not calibrate:
        return recorded
    size = planned.spec.resources.packing
    wanted: dict[TrialKind, TrialSpec] = {}
    for trial in planned.trials:
        shape = TrialKind.of(trial.settings, size)
        if recorded.same(shape) is None:
            wanted.setdefault(shape, trial)
    if any(shape.compiled for shape in wanted):
        note = "not calibrated: training.compile, as compiling its layers takes longer than a calibration"
        wanted = {shape: trial for shape, trial in wanted.items() if not shape.compiled}
        recorded = replace(recorded, notes=(*recorded.notes, note))
        if not wanted:
            return recorded
    if not wanted and recorded.overhead is not None:
        return recorded
    wanted = wanted or {TrialKind.of(planned.trials[0].settings, size): planned.trials[0]}
    return recorded.and_then(_calibrated(planned, dict(list(wanted.items())[:MOST_SHAPES]), prepare, watch))


def _device(planned: Plan) -> str:
    """What trials will compute on, as their records name it."""
    if planned.spec.resources.gpus_per_trial <= 0:
        return "cpu"
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "a GPU"


def _calibrated(planned: Plan, wanted: Mapping[TrialKind, TrialSpec], prepare: Prepare, watch: Watcher) -> Speeds:
    """Speeds of `wanted`; none with a note where it could not be measured."""
    from greenexp.training.busy_workers import calibrate
    from greenexp.training.calibration import Bench, small

    resources = planned.spec.resources
    processes = _processes(planned)
    kinds = f"{len(wanted)} kind{'s' * (len(wanted) > 1)} of trials"
    watch.remark("calibrate", f"{kinds}, {processes} at a time, for about a minute")
    bench = Bench(resources.cpus_per_trial, resources.gpus_per_trial, exclusive=resources.workers == 1)
    try:
        data = [small(prepare(trial.settings), trial) for trial in wanted.values()]
        found = calibrate(list(wanted.values()), data, bench, processes, TOTAL_S)
    except GreenexpError as error:
        return Speeds(notes=(f"not calibrated: {error}",))
    shapes = {}
    for number, shape in enumerate(wanted):
        own = [one for one in found.observations if one.shape == number and one.train_flops > 0]
        if own:
            shapes[shape] = _speed(own, found, shape.packing)
    usual = fmean(speed.setup_s for speed in shapes.values()) if shapes else 0.0
    warm_s = max(0.0, found.warm_s - usual)
    overhead = Overhead(RAY_START * found.start_s, warm_s, doubt=START_DOUBT, source="calibration")
    return Speeds(shapes, overhead, _busy(planned, shapes.values()))


def _busy(planned: Plan, speeds: Iterable[TrialSpeed]) -> tuple[str, ...]:
    """That something else took the cores meanwhile: a CPU's trials are busy all the time."""
    resources = planned.spec.resources
    shares = [speed.cpu_share / resources.cpus_per_trial for speed in speeds if speed.cpu_share is not None]
    if resources.gpus_per_trial > 0 or not shares or fmean(shares) > BUSY:
        return ()
    got = f"a trial got {100 * fmean(shares):.0f} % of the time of its cores"
    return (f"other processes ran while this machine was calibrated ({got}): the price is for as busy a machine",)


def _processes(planned: Plan) -> int:
    """As many as the sweep has workers, as far as this machine has cores (or GPUs) for them."""
    resources = planned.spec.resources
    room = (os.cpu_count() or 1) // resources.cpus_per_trial
    if resources.gpus_per_trial > 0:
        import torch

        room = int(torch.cuda.device_count() / resources.gpus_per_trial)
    return max(1, min(resources.workers, room))


def _speed(own: Sequence[SpeedLook], found: Calibration, packing: Packing) -> TrialSpeed:
    """The speed of a kind of trial by all looks at it."""
    apart = found.processes < packing[0] or len(packing) > 3  # measured in one process per trial
    seconds, flops = sum(one.train_s for one in own), sum(one.train_flops for one in own)
    logs = [math.log(one.train_s / one.train_flops) for one in own]
    eval_s, eval_flops = sum(one.eval_s for one in own), sum(one.eval_flops for one in own)
    spread = spread_of(logs)
    # Looks that follow one another are alike: two of them count as one.
    doubt = math.hypot(CALIBRATION_FLOOR, spread / math.sqrt(max(1.0, len(own) / 2)))
    energy = [one.energy_j for one in own]
    energy_s = sum(one.energy_s for one in own)
    joules = [each for each in energy if each is not None]
    cpu = [one.cpu_s for one in own if one.cpu_s is not None]
    setups = [one.setup_s for one in own if one.setup_s is not None]
    reports = [one.report_s for one in own if one.report_s is not None]
    share = sum(cpu) / energy_s if len(cpu) == len(own) and energy_s else None
    doubt = math.hypot(doubt, OTHER_PACKING if apart else 0.0, busy_doubt(share, packing))
    packed = f"{found.processes} at a time" if not apart else f"{found.processes} at a time, not as packed as the sweep"
    return TrialSpeed(
        seconds,
        flops,
        eval_ratio=(eval_s / eval_flops) / (seconds / flops) if eval_flops else 1.0,
        eval_spread=0.1,
        setup_s=median(setups) if setups else 0.0,
        report_s=fmean(reports) if reports else 0.0,
        cpu_share=share,
        watts=sum(joules) / energy_s if len(joules) == len(own) and energy_s else None,
        spread=spread / 2,
        doubt=doubt,
        freedom=PRIOR_FREEDOM,
        trials=len(own),
        source=f"calibration ({len(own)} looks, {packed})",
    )
