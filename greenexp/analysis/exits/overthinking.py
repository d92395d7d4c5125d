"""Overthinking: examples that an earlier exit gets right and the last one wrong.

Kaya, Hong & Dumitras 2019, "Shallow-Deep Networks", section 4. For N examples, M exits and r_m(i) = 1 if exit m gets
example i right,

    right_m            = sum_i r_m(i) / N
    first_right_m      = sum_i r_m(i) prod_{j<m} (1 - r_j(i)) / N     (their sum: right at some exit)
    right_then_wrong_m = sum_i r_m(i) (1 - r_M(i)) / N
    overthought        = sum_m first_right_m - right_M                (right at some exit, wrong at the last)

Assumption: shares are of the dev examples that also chose epoch and configuration. An exit that guesses among two
classes is right now and then, so part of these shares may be chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from greenexp.analysis.numbers.rounding import SHARE_ROUNDING

EXITS = ("exit", "layer", "trials", "right", "right_std", "first_right", "right_then_wrong")


@dataclass(frozen=True)
class Overthinking:
    """Means over trials, shares of dev examples.

    exits: a row per exit, EXITS; right_std over trials, n - 1 (NaN for one)
    trials: a row per trial: trial, last_right, oracle_right (right at some exit), overthought, and overthought_of_wrong
        (its part of what the last exit gets wrong; NaN if that is nothing)
    """

    exits: pd.DataFrame
    trials: pd.DataFrame


def overthinking(shares: pd.DataFrame) -> Overthinking:
    """Means of the table `overthinking` of `SweepTables`, restricted to the trials to be averaged over."""
    by_exit = shares.groupby(["exit", "layer"], sort=True)
    exits = by_exit.agg(
        trials=("trial", "nunique"),
        right=("right", "mean"),
        right_std=("right", "std"),
        first_right=("first_right", "mean"),
        right_then_wrong=("right_then_wrong", "mean"),
    ).reset_index()
    ordered = shares.sort_values("exit", kind="stable").groupby("trial", sort=False)
    trials = ordered.agg(last_right=("right", "last"), oracle_right=("first_right", "sum")).reset_index()
    trials["overthought"] = (trials["oracle_right"] - trials["last_right"]).clip(lower=0)  # rounding of a sum of shares
    wrong = 1 - trials["last_right"]
    trials["overthought_of_wrong"] = (trials["overthought"] / wrong).where(wrong > SHARE_ROUNDING)
    return Overthinking(exits[list(EXITS)], trials)
