"""What a staircase's points are worth: a score and costs, one row each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.errors import InputError
from greenexp.replay.family import Family, Staircase
from greenexp.replay.record import ExitCosts, ExitRecord
from greenexp.replay.scores import scores
from greenexp.replay.steps import totals

FIXED = ("policy", "threshold", "inference_flops", "mean_layers", "speed_up", "latency_s")
"""Columns of every table of operating points; the remaining one is the score, under its metric's name."""


def checked_costs(record: ExitRecord, costs: ExitCosts) -> None:
    """InputError if there are no examples, or the costs are of other exits."""
    exits, examples = record.logits.shape[:2]
    if examples == 0:
        raise InputError("a record without examples has no operating points")
    if len(costs.layers) != exits:
        raise InputError(f"costs of {len(costs.layers)} exits do not fit a record of {exits}")


def outcomes(
    record: ExitRecord, family: Family, steps: Staircase, costs: ExitCosts, metric: str, label: str
) -> pd.DataFrame:
    """policy, threshold, the metric, inference_flops, mean_layers, speed_up and, where it was measured, latency_s.

    A row per point, in the staircase's order. Latency was measured with all exits on the way evaluated, so that of a
    family that skips them is NaN.
    """
    examples = record.logits.shape[1]
    columns = costs.columns(record.lengths)
    flops = (costs.dynamic_flops if family.evaluates_all else costs.static_flops)[:, columns]
    everywhere = np.broadcast_to(costs.layers[:, None], (len(costs.layers), examples))
    layers = totals(steps, everywhere) / examples
    table = {
        "policy": label,
        "threshold": steps.thresholds,
        metric: scores(metric, steps, family.answers(record), record.labels),
        "inference_flops": totals(steps, flops) / examples,
        "mean_layers": layers,
        "speed_up": costs.speed_up(layers),
    }
    if costs.latency_s is not None:
        seconds = totals(steps, costs.latency_s[:, columns]) / examples
        table["latency_s"] = seconds if family.evaluates_all else np.full(len(seconds), np.nan)
    return pd.DataFrame(table)


def score_column(points: pd.DataFrame) -> str:
    """Name of the metric of a table of operating points. InputError if it has none, or more than one."""
    found = [str(column) for column in points.columns if column not in FIXED]
    if len(found) != 1:
        raise InputError(f"a table of operating points has one column with scores, this one {found}")
    return found[0]
