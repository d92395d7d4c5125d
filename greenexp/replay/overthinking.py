"""Overthinking: examples that an early exit gets right and the last one wrong (Kaya et al. 2019, section 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.replay.outcomes import checked_costs
from greenexp.replay.record import ExitCosts, ExitRecord

_KINDS = {"exit": "int64", "layer": "int64", "right": "float64", "first_right": "float64",
          "right_then_wrong": "float64"}  # fmt: skip


def overthinking(record: ExitRecord, costs: ExitCosts) -> pd.DataFrame:
    """exit, layer, right, first_right, right_then_wrong: a row per exit, shares of all examples.

    right: this exit is right; first_right: it is, and no earlier one was (there going on is wasteful);
    right_then_wrong: it is, and the last exit is wrong (there going on is destructive). Examples without any
    `first_right` are never right. For regression a table without rows: no number is right or wrong.
    Raises InputError for no examples, and for costs that do not fit the record.
    """
    checked_costs(record, costs)
    if record.is_regression:
        return pd.DataFrame({name: [] for name in _KINDS}).astype(_KINDS)
    right = record.predictions() == record.labels
    before = np.zeros_like(right)
    np.logical_or.accumulate(right[:-1], axis=0, out=before[1:])
    table = {
        "exit": record.numbers,
        "layer": costs.layers,
        "right": right.mean(axis=1),
        "first_right": (right & ~before).mean(axis=1),
        "right_then_wrong": (right & ~right[-1]).mean(axis=1),
    }
    return pd.DataFrame(table).astype(_KINDS)
