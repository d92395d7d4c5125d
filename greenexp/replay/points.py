"""The entry points of replay: who leaves where, and every operating point of a family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from greenexp.replay.naming import resolve, threshold_of
from greenexp.replay.outcomes import checked_costs, outcomes
from greenexp.replay.record import ExitCosts, ExitRecord, Ints
from greenexp.replay.scores import find_metric
from greenexp.replay.steps import evenly, one_step, thinned

GRID = 200
"""Most points of a regression metric."""


def exits_taken(record: ExitRecord, policy: Any) -> Ints:
    """The number of the exit (from 1) at which each example leaves, int64 [example].

    policy: its stream form (`MaxProbability(threshold=0.9)` of `greenexp.exits.policies`), the same as in a file
    (`{"name": "max_probability", "threshold": 0.9}`), or a name, for its default threshold. Decides as the stream form
    does, example by example. Raises UnknownNameError, and InputError for a record the policy cannot be applied to.
    """
    _, family = resolve(policy)
    return record.numbers[family.taken(record)]


def operating_points(record: ExitRecord, family: Any, costs: ExitCosts, metric: str | None = None) -> pd.DataFrame:
    """Every operating point of a family of policies, one row each, ascending in the threshold.

    family: a name, or a mapping with its name and options; a threshold in it does not matter
    metric: accuracy, f1, macro_f1 or matthews; for regression pearson, spearman or mean_squared_error. None: the first
    policy, threshold; <metric>: of the answers at the exits taken; inference_flops: mean per example at its real
    length, exits evaluated on the way included unless the policy skips them; mean_layers; speed_up: layers of the
    encoder / mean_layers; latency_s: mean seconds of one example, if the costs have it; NaN of a policy that skips
    exits.
    Metrics of classes are exact at every point, from whole counts. Those of regression have no such counts: of at most
    `GRID` of the points, evenly spaced in their order with both ends, each is computed exactly, and the rest left out.
    NaN where a metric is not defined. Raises InputError for a metric of the other kind, a policy the record does not
    allow, no examples, and costs that do not fit the record.
    """
    name, replay = resolve(family, record)
    wanted = find_metric(metric, record.is_regression)
    checked_costs(record, costs)
    steps = replay.staircase(record)
    if record.is_regression:
        steps = thinned(steps, evenly(len(steps.thresholds), GRID))
    points = outcomes(record, replay, steps, costs, wanted, name)
    order = np.argsort(points["threshold"].to_numpy(), kind="stable")
    return points.take(order).reset_index(drop=True)


def operating_point(record: ExitRecord, policy: Any, costs: ExitCosts, metric: str | None = None) -> pd.DataFrame:
    """The operating point of one policy at its own threshold: one row, with the columns of `operating_points`.

    policy: as in `exits_taken`. `threshold` is NaN where the policy has no single one: a mapping of exits, or None.
    """
    name, replay = resolve(policy)
    wanted = find_metric(metric, record.is_regression)
    checked_costs(record, costs)
    return outcomes(record, replay, one_step(threshold_of(replay), replay.taken(record)), costs, wanted, name)
