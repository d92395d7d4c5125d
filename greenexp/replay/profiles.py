"""Exit profiles: which share of the examples leaves at which exit, over a policy's operating points."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.errors import InputError
from greenexp.replay.family import Staircase
from greenexp.replay.naming import resolve
from greenexp.replay.outcomes import checked_costs
from greenexp.replay.record import ExitCosts, ExitRecord, Ints
from greenexp.replay.steps import events_so_far, thinned, totals

_KINDS = {"policy": "str", "threshold": "float64", "speed_up": "float64", "exit": "int64", "layer": "int64",
          "share": "float64"}  # fmt: skip


def exit_profiles(record: ExitRecord, family: Any, costs: ExitCosts, most: int = 25) -> pd.DataFrame:
    """policy, threshold, speed_up, exit, layer, share: a row per operating point and exit, slowest point first.

    family: as `operating_points` takes it; most: how many points at most, at least 2. They are those nearest to evenly
    spaced speed-ups, the slowest and the fastest included. Shares of a point sum to 1.
    Raises InputError as `operating_points` does.
    """
    if most < 2:
        raise InputError(f"an exit profile has at least 2 points, its ends; received most={most}")
    label, replay = resolve(family, record)
    checked_costs(record, costs)
    exits, examples = record.logits.shape[:2]
    steps = replay.staircase(record)
    layers = totals(steps, np.broadcast_to(costs.layers[:, None], (exits, examples))) / examples
    speed_up = costs.speed_up(layers)
    chosen = _evenly_over(speed_up, most)
    slowest_first = np.argsort(speed_up[chosen], kind="stable")
    shares = exit_counts(thinned(steps, chosen), exits)[slowest_first] / examples
    chosen = chosen[slowest_first]
    table = {
        "policy": label,
        "threshold": np.repeat(steps.thresholds[chosen], exits),
        "speed_up": np.repeat(speed_up[chosen], exits),
        "exit": np.tile(record.numbers, len(chosen)),
        "layer": np.tile(costs.layers, len(chosen)),
        "share": shares.ravel(),
    }
    return pd.DataFrame(table).astype(_KINDS)


def exit_counts(steps: Staircase, exits: int) -> Ints:
    """How many examples leave at each exit at each point, int64 [point, exit]."""
    ends = events_so_far(steps.point, len(steps.thresholds))
    counts = np.empty((len(ends), exits), dtype=np.int64)
    now, done = np.bincount(steps.start, minlength=exits), 0
    for point, so_far in enumerate(ends):
        came, went = (np.bincount(places[done:so_far], minlength=exits) for places in (steps.after, steps.before))
        now, done = now + came - went, so_far
        counts[point] = now
    return counts


def _evenly_over(values: npt.NDArray[np.float64], most: int) -> Ints:
    """Places of at most `most` values, nearest to evenly spaced ones, both ends among them; ascending."""
    wanted = np.linspace(values.min(), values.max(), most)
    return np.unique(np.abs(values[:, None] - wanted).argmin(axis=0))
