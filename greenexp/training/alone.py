"""A trial trained once more with the machine to itself, to measure its energy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import InputError
from greenexp.meters import Meters
from greenexp.records.progress import Epochs
from greenexp.records.trial import TrialSpec
from greenexp.tasks.prepared import PreparedTask
from greenexp.training.run import TrialRun

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class TrainedAlone:
    """What training a trial alone took; see `EnergyMeasurement`."""

    energy_j: float
    wall_s: float
    examples: int
    reproduced: bool


def warm_up(trial: TrialSpec, data: PreparedTask, meters: Meters, *, threads: int, seconds: float) -> None:
    """Train for some seconds, and forget it: caches are filled, and the devices are at the temperature of work."""
    end = time.monotonic() + seconds
    with TrialRun(trial, data, threads=threads, meters=meters) as run:
        while time.monotonic() < end:
            if run.train_on(lambda: time.monotonic() >= end) is None or run.epoch >= trial.settings.training.epochs:
                return


def train_alone(
    trial: TrialSpec,
    data: PreparedTask,
    open_trial_meters: Callable[[], Meters],
    *,
    threads: int,
    scores: Mapping[Epochs, float],
    model_folder: Path | None = None,
) -> TrainedAlone:
    """Train a trial as far as it was trained in its sweep.

    scores: epochs trained -> dev score, as recorded; model_folder: where its best model goes; None: nowhere
    Raises InputError where the energy of a report could not be measured.
    """
    last = max(scores)
    energy_j = wall_s = 0.0
    examples, reproduced = 0, True
    with TrialRun(trial, data, threads=threads, meters=open_trial_meters(), model_folder=model_folder) as run:
        for record in run:
            if record.costs.energy_j is None:
                raise InputError(f"the energy of {trial.trial} was not measured: {record.not_measured['energy_j']}")
            energy_j, wall_s = energy_j + record.costs.energy_j, wall_s + record.costs.wall_s
            examples += record.examples
            recorded = scores.get(record.epoch, math.nan)
            reproduced = reproduced and math.isclose(record.score, recorded, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
            if record.epoch >= last:
                break
    return TrainedAlone(energy_j, wall_s, examples, reproduced)
