"""Confusion of the exits as a sign of errors, over the seeds of a configuration.

Kaya, Hong & Dumitras 2019, "Shallow-Deep Networks", section 5. C = sum_{m<M} |p_m - p_M|_1 of an example, p_m what exit
m predicts, M the last one. Examples are ranked by C within each trial and parted into tenths.

Assumption: shares are of the dev examples that also chose epoch and configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

PARTS = ("part", "trials", "confusion", "wrong", "wrong_std")


@dataclass(frozen=True)
class Confusion:
    """Means over trials.

    parts: a row per tenth of the dev examples by rising confusion, PARTS; wrong: share that the last exit gets wrong,
        wrong_std over trials, n - 1 (NaN for one)
    trials: a row per trial: trial, wrong (over all examples), area (under the ROC curve; see `replay.confusion`)
    """

    parts: pd.DataFrame
    trials: pd.DataFrame


def confusion(rows: pd.DataFrame) -> Confusion:
    """Means of the table `confusion` of `SweepTables`, restricted to the trials to be averaged over."""
    parts = rows.groupby("part", sort=True).agg(
        trials=("trial", "nunique"),
        confusion=("confusion", "mean"),
        wrong=("wrong", "mean"),
        wrong_std=("wrong", "std"),
    )
    counted = rows.assign(missed=rows["wrong"] * rows["examples"]).groupby("trial", sort=False)
    trials = counted.agg(missed=("missed", "sum"), examples=("examples", "sum"), area=("area", "first")).reset_index()
    trials["wrong"] = trials["missed"] / trials["examples"]
    return Confusion(parts.reset_index()[list(PARTS)], trials[["trial", "wrong", "area"]])
