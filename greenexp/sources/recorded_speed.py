"""How fast trials of a model ran here, by the sweeps on record under `out/`: what an estimate of time rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenexp.errors import GreenexpError
from greenexp.sources.folders import DEFAULT, JOURNAL, sweeps_below
from greenexp.sources.status import read_state

if TYPE_CHECKING:
    from greenexp.records.settings import Settings

LOOKED_AT = 5
"""Newest sweeps that are read: a plan is to be quick."""
LARGEST_B = 20_000_000
"""Of a journal that is read, in bytes."""


class RecordedSpeed(NamedTuple):
    """seconds_per_flop: worker seconds per FLOP of training and dev evaluation; sweep: the folder that says so."""

    seconds_per_flop: float
    sweep: Path


def recorded_speed(settings: Settings, parent: Path = DEFAULT) -> RecordedSpeed | None:
    """The speed in the newest sweep that trained the same backbone on texts of the same length; None without one."""
    for folder in sweeps_below(parent)[:LOOKED_AT]:
        if (folder / JOURNAL).stat().st_size > LARGEST_B:
            continue
        try:
            speed = _speed(folder, settings)
        except GreenexpError:  # damaged, or of another version: `greenexp status` says so
            continue
        if speed is not None:
            return RecordedSpeed(speed, folder)
    return None


def _speed(folder: Path, settings: Settings) -> float | None:
    seconds, flops = 0.0, 0.0
    for trial in read_state(folder).trials.values():
        own = trial.spec.settings
        if own.backbone != settings.backbone or own.training.max_length != settings.training.max_length:
            continue
        for _, _, record in trial.reports:
            costs = record.costs
            if costs.train_flops is not None and costs.eval_flops is not None:
                seconds += costs.wall_s
                flops += costs.train_flops + costs.eval_flops
    return seconds / flops if flops > 0 else None
