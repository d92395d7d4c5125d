"""How fast this process trains and evaluates trials: a few steps, a few dev batches, a report of each."""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from greenexp.meters import open_meters
from greenexp.meters.nvml import visible_gpus
from greenexp.records.trial import TrialSpec
from greenexp.tasks.folds import on_fold
from greenexp.tasks.prepared import PreparedSplit, PreparedTask, changed, copied, part
from greenexp.training.evaluation import evaluate
from greenexp.training.isolation import epoch_seed, isolated
from greenexp.training.run import TrialRun
from greenexp.training.trial_setup import TrialSetup
from greenexp.training.under_way import EpochUnderWay

TRAIN_BATCHES, DEV_BATCHES = 64, 16
"""How much of the data a calibration has: enough that lengths are spread over batches as they are in the whole."""
TRAIN_SHARE = 0.6
"""Of the time for a shape: training; the rest goes to evaluation."""
LEAST_STEPS = 2
LEAST_LOOK_S = 0.2
LOOKS = 5
"""At each shape, if there is time: a machine's speed wanders, and looks apart in time show by how much."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What calibration trials run on. gpus: of each, as in the sweep file; exclusive: nothing else runs meanwhile."""

    threads: int
    gpus: float = 0.0
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class SpeedLook:
    """One look at one shape, by its number; seconds, FLOPs and joules are of steps and dev batches alone.

    setup_s: of building the trial; report_s: of what a report does besides steps and evaluation: scores, stored logits,
    the saved model. None: this look did not measure it
    """

    shape: int
    train_s: float
    train_flops: float
    eval_s: float
    eval_flops: float
    setup_s: float | None = None
    report_s: float | None = None
    cpu_s: float | None = None
    energy_j: float | None = None
    energy_s: float = 0.0


def small(data: PreparedTask, trial: TrialSpec) -> PreparedTask:
    """The part of a trial's data that a calibration needs, without test set."""
    training, data = trial.settings.training, on_fold(data, trial.fold)
    return changed(
        data,
        train=_spread(data.train, TRAIN_BATCHES * training.batch_size),
        dev=_spread(data.dev, DEV_BATCHES * training.evaluation_batch_size),
        test=None,
        positions=None,
    )


def _spread(split: PreparedSplit, most: int) -> PreparedSplit:
    """Every k-th example."""
    count = len(split)
    return copied(split, np.arange(min(count, most), dtype=np.int64) * count // min(count, most))


def observe(number: int, trial: TrialSpec, data: PreparedTask, bench: Bench, budget_s: float) -> SpeedLook:
    """Train steps and evaluate batches of a trial for about `budget_s` seconds.

    The first step of each stage is not counted: it allocates. Stages of a method count by their shares of the epochs.
    Raises what training the trial would raise.
    """
    gpus = visible_gpus()[:1] if bench.gpus else ()
    meters = open_meters(
        gpus=gpus, gpu_share=min(bench.gpus, 1.0) or 1.0, cpus=bench.threads, exclusive=bench.exclusive
    )
    device = torch.device("cuda", torch.cuda.current_device()) if gpus else torch.device("cpu")
    with meters, isolated(epoch_seed(trial.seeds.order, 0), bench.threads, device):
        begun = time.monotonic()
        work = TrialSetup.build(trial, data, device, meters)
        _wait(device)
        setup_s = time.monotonic() - begun
        stages = _stages(work)
        meters.start()
        began = time.monotonic()
        slice_s = TRAIN_SHARE * budget_s / len(stages)
        trained = [(share, *_steps(work, epoch, slice_s, device)) for epoch, share in stages]
        eval_s, eval_flops = _evaluations(work, data, (1 - TRAIN_SHARE) * budget_s, device)
        energy_s, costs = time.monotonic() - began, meters.read().costs
    flops = sum(flops for _, _, flops in trained)
    rate = sum(share * seconds / done for share, seconds, done in trained)
    return SpeedLook(
        number,
        rate * flops,
        flops,
        eval_s,
        eval_flops,
        setup_s=setup_s,
        cpu_s=costs.cpu_s,
        energy_j=costs.energy_j,
        energy_s=energy_s,
    )


def report_time(trial: TrialSpec, data: PreparedTask, bench: Bench, per_flop: float, eval_per_flop: float) -> float:
    """Seconds that a trial's first report takes besides its step and its evaluation, with model and logits on disk."""
    training = trial.settings.training
    smallest = changed(
        data,
        train=part(data.train, np.arange(min(len(data.train), training.batch_size * training.reports_per_epoch))),
        dev=part(data.dev, np.arange(min(len(data.dev), training.evaluation_batch_size))),
    )
    gpus = visible_gpus()[:1] if bench.gpus else ()
    meters = open_meters(gpus=gpus, cpus=bench.threads, exclusive=bench.exclusive)
    with tempfile.TemporaryDirectory() as scratch:
        logits, model = Path(scratch) / "logits", Path(scratch) / "model"
        with TrialRun(
            trial, smallest, threads=bench.threads, meters=meters, logits_folder=logits, model_folder=model
        ) as run:
            begun = time.monotonic()
            costs = next(run).costs
            spent = time.monotonic() - begun
    return max(0.0, spent - per_flop * (costs.train_flops or 0.0) - eval_per_flop * (costs.eval_flops or 0.0))


def _stages(work: TrialSetup) -> list[tuple[int, float]]:
    """(first epoch, share of the epochs) of each stage of the method."""
    epochs = work.training.epochs
    firsts: dict[int, list[int]] = {}
    for epoch in range(1, epochs + 1):
        firsts.setdefault(work.method.stage(epoch).number, []).append(epoch)
    return [(each[0], len(each) / epochs) for each in firsts.values()]


def _steps(work: TrialSetup, epoch: int, slice_s: float, device: torch.device) -> tuple[float, float]:
    """(seconds, FLOPs) of an epoch's steps after the first, for about `slice_s` seconds, `LEAST_STEPS` at least."""
    work.enter(epoch)
    under_way, steps = EpochUnderWay(epoch), work.steps(epoch)
    first = min(1, steps - 1)
    if first:
        work.train(under_way, first, lambda: False)
        _wait(device)
    before, begun = under_way.flops, time.monotonic()

    def enough() -> bool:
        _wait(device)
        return under_way.steps - first >= LEAST_STEPS and time.monotonic() - begun >= slice_s

    work.train(under_way, steps, enough)
    _wait(device)
    return time.monotonic() - begun, under_way.flops - before


def _evaluations(work: TrialSetup, data: PreparedTask, slice_s: float, device: torch.device) -> tuple[float, float]:
    """(seconds, FLOPs) of evaluating parts of dev of one batch each, spread over its lengths; the first is left out."""
    size = work.training.evaluation_batch_size
    exits = work.method.trained_exits(work.training.epochs)
    ranked = np.argsort(data.dev.lengths, kind="stable")
    batches = [ranked[start : start + size] for start in range(0, len(ranked), size)]
    order = [batches[place] for place in np.random.default_rng(0).permutation(len(batches))]

    def evaluated(split: PreparedSplit) -> float:
        look = partial(evaluate, work.model, split, exits=exits, batch_size=size, pad_id=data.pad_id)
        return look(precision=work.precision, device=device, masking=data.masking).flops

    evaluated(part(data.dev, order[0]))
    seconds = flops = 0.0
    for rows in (*order[1:], order[0]):
        begun = time.monotonic()
        flops += evaluated(part(data.dev, rows))
        seconds += time.monotonic() - begun
        if seconds >= slice_s:
            break
    return seconds, flops


def _wait(device: torch.device) -> None:
    """A GPU computes behind the back of the program."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rounds(
    trials: Sequence[TrialSpec], data: Sequence[PreparedTask], bench: Bench, until: float, least: int = LOOKS
) -> list[SpeedLook]:
    """Look at every kind of trial in turn, until the time `until` (of `time.monotonic`) has come; at one in any case.

    Several looks at each, apart in time: a machine's speed wanders. With the first one goes a report of its own. Where
    steps take long there may be no time for all of them.
    """
    found: list[SpeedLook] = []
    for looks in itertools.count(least, -1):
        left = until - time.monotonic()
        if found and left <= 0:
            return found
        budget_s = max(LEAST_LOOK_S, left / (max(1, looks) * len(trials)))
        for number, (trial, own) in enumerate(zip(trials, data, strict=True)):
            is_first = looks == least
            if found and time.monotonic() >= until:
                return found
            one = observe(number, trial, own, bench, budget_s)
            if is_first:
                rates = one.train_s / one.train_flops, one.eval_s / one.eval_flops
                one = dataclasses.replace(one, report_s=report_time(trial, own, bench, *rates))
            found.append(one)
    return found
