"""How sure recorded logits are: the largest class probability, and the entropy. float64 inside, float32 out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.replay.record import ExitRecord

Singles = npt.NDArray[np.float32]


def max_probability(record: ExitRecord) -> Singles:
    """[exit, example]: largest softmax probability, 1 / sum_k exp(z_k - max z); NaN where a logit is not finite."""
    if record.is_regression:
        raise InputError("max_probability needs at least two classes: a regression output has no confidence")
    with np.errstate(invalid="ignore", over="ignore"):
        values = record.classes_first()
        values -= values.max(axis=0)
        total = np.exp(values, out=values).sum(axis=0)
        total[~_finite(record)] = np.nan
    probability: Singles = (1 / total).astype(np.float32)
    return probability


def entropy(record: ExitRecord, normalised: bool) -> Singles:
    """[exit, example]: entropy in nats, or as a share of ln K; NaN where a logit is not finite.

    s = z - max z, R = the sum of e^s over all classes but one largest, H = ln(1 + R) + sum_k(-s_k e^s_k) / (1 + R).
    """
    if record.is_regression:
        raise InputError(
            "entropy needs at least two classes: that of a regression output is always 0, so all would leave at once"
        )
    with np.errstate(invalid="ignore", over="ignore"):
        values = record.classes_first()
        values -= values.max(axis=0)
        largest = values == 0
        shares = np.exp(values)
        rest = np.where(largest, 0, shares).sum(axis=0) + (largest.sum(axis=0) - 1)
        nats = np.log1p(rest) - (values * shares).sum(axis=0) / (1 + rest)
        if normalised:
            nats /= math.log(len(values))
        nats[~_finite(record)] = np.nan
        uncertainty: Singles = nats.astype(np.float32)
    return uncertainty


def _finite(record: ExitRecord) -> npt.NDArray[np.bool_]:
    """[exit, example]: whether every logit is finite; a sum of float32 in float64 cannot overflow."""
    finite: npt.NDArray[np.bool_] = np.isfinite(record.logits.sum(axis=2, dtype=np.float64))
    return finite
