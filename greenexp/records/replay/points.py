"""The entry points of replay: who leaves where, and every operating point of a family."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.errors import InputError
from greenexp.records.replay.family import FAMILIES, Family, Staircase
from greenexp.records.replay.record import ExitCosts, ExitRecord, Ints

COLUMNS = ("policy", "threshold", "accuracy", "inference_flops", "mean_layers", "speed_up")


def exits_taken(record: ExitRecord, policy: Any) -> Ints:
    """The number of the exit (from 1) at which each example leaves, int64 [example].

    policy: its stream form (`MaxProbability(threshold=0.9)` of `greenexp.exits.policies`), the same as in a file
    (`{"name": "max_probability", "threshold": 0.9}`), or a name, for its default threshold. Decides as the stream form
    does, example by example. Raises UnknownNameError, and InputError for a record the policy cannot be applied to.
    """
    _, family = _resolved(policy)
    return record.numbers[family.taken(record)]


def operating_points(record: ExitRecord, family: Any, costs: ExitCosts) -> pd.DataFrame:
    """Every operating point of a family of policies, exactly, one row each, ascending in the threshold.

    family: a name, or a mapping with its name and options; a threshold in it does not matter
    policy, threshold; accuracy: of the predictions at the exits taken, exact (whole examples are counted);
    inference_flops: mean per example at its real length, exits evaluated on the way included unless the policy skips
    them; mean_layers; speed_up: layer of the last exit / mean_layers.
    Raises InputError for regression, for no examples, and for costs that do not fit the record.
    """
    name, replay = _resolved(family)
    exits, examples = record.logits.shape[:2]
    if examples == 0:
        raise InputError("a record without examples has no operating points")
    if len(costs.layers) != exits:
        raise InputError(f"costs of {len(costs.layers)} exits do not fit a record of {exits}")
    steps = replay.staircase(record)
    if record.is_regression:
        raise InputError("a regression output predicts no class, so it has no accuracy")
    correct = (replay.answers(record) == record.labels).astype(np.int64)
    by_length = costs.dynamic_flops if replay.evaluates_all else costs.static_flops
    flops = by_length[:, costs.columns(record.lengths)]
    layers = _totals(steps, np.broadcast_to(costs.layers[:, None], (exits, examples))) / examples
    table = {
        "threshold": steps.thresholds,
        "accuracy": _totals(steps, correct) / examples,
        "inference_flops": _totals(steps, flops) / examples,
        "mean_layers": layers,
        "speed_up": costs.layers[-1] / layers,
    }
    order = np.argsort(steps.thresholds, kind="stable")
    frame = pd.DataFrame({column: values[order] for column, values in table.items()})
    frame.insert(0, "policy", name)
    return frame


def _totals(steps: Staircase, values: Ints) -> Ints:
    """The sum of `values` [exit, example] over everybody's exit, at each point: one addition per event."""
    first = values[steps.start, np.arange(values.shape[1])].sum()
    moved = np.cumsum(values[steps.after, steps.example] - values[steps.before, steps.example])
    ends = np.flatnonzero(np.append(steps.point[1:] != steps.point[:-1], True)) if len(steps.point) else steps.point
    totals: npt.NDArray[np.int64] = np.concatenate(([first], first + moved[ends]))
    return totals


def _resolved(policy: Any) -> tuple[str, Family]:
    """(name, replay form) of a policy in any of the ways it can be given."""
    if isinstance(policy, str):
        return policy, FAMILIES[policy]()
    if isinstance(policy, Mapping):
        fields = dict(policy)
        name = str(fields.pop("name", ""))
    elif dataclasses.is_dataclass(policy) and hasattr(policy, "family"):
        name = str(policy.family)
        fields = {field.name: getattr(policy, field.name) for field in dataclasses.fields(policy)}
    elif hasattr(policy, "taken") and hasattr(policy, "staircase"):
        return type(policy).__name__, cast(Family, policy)
    else:
        raise InputError(f"{policy!r} is no exit policy: expected a name, a mapping with its name, or a policy")
    kind = FAMILIES[name]
    try:
        return name, kind(**fields)
    except TypeError as error:
        raise InputError(f"exit policy '{name}': {error}") from error
