"""Calibration of the exits: temperatures fitted on dev, and what they change there and on test.

Guo et al. 2017, "On Calibration of Modern Neural Networks": an exit's logits are divided by one temperature, which
changes its confidences and no prediction. ECE is the mean over bins of |accuracy - mean confidence|, weighted by
examples. Temperatures are fitted on dev, so only test shows what they are worth.
"""

from __future__ import annotations

import pandas as pd

EXITS = (
    "exit", "layer", "split", "trials", "examples", "temperature_low", "temperature_high",
    "nll_before", "nll_after", "ece_before", "ece_after", "remarked", "remark",
)  # fmt: skip


def calibration_summary(calibration: pd.DataFrame) -> pd.DataFrame:
    """Over the trials of the table `calibration`, a row per exit and split, dev first: EXITS.

    temperature_low, temperature_high: every trial has its own; NLL (nats) and ECE: means over trials
    remarked: trials with a remark (no minimum, examples left out); remark: all different ones
    """
    rows = calibration.assign(remarked=(calibration["remark"] != "").astype("int64"))
    means = ("nll_before", "nll_after", "ece_before", "ece_after")
    frame = rows.groupby(["split", "exit", "layer"], sort=True).agg(
        trials=("trial", "nunique"),
        examples=("examples", "max"),
        temperature_low=("temperature", "min"),
        temperature_high=("temperature", "max"),
        **{name: (name, "mean") for name in means},
        remarked=("remarked", "sum"),
        remark=("remark", lambda remarks: "; ".join(dict.fromkeys(filter(None, remarks)))),
    )
    return frame.reset_index()[list(EXITS)]


LEAST = 0.05
"""Share of examples that must lie above a threshold for it to say anything."""
THRESHOLD = ("exit", "calibrated", "threshold", "share", "accuracy")


def one_threshold(bins: pd.DataFrame) -> pd.DataFrame:
    """What one threshold means at the first and the last exit, before and after: four rows, or none.

    bins: table `reliability` of one trial and split. The threshold is the highest edge of a bin above which the
    confidence of at least `LEAST` of the examples lies in each of the four cases, and not of all in all.
    THRESHOLD: share of the examples above it, accuracy on those; before first, exits ascending
    """
    ends = bins[bins["exit"].isin([bins["exit"].min(), bins["exit"].max()])].sort_values("low", ascending=False)
    if len(ends[["exit", "calibrated"]].drop_duplicates()) < 4:
        return pd.DataFrame(columns=list(THRESHOLD))
    ends = ends.assign(right=(ends["accuracy"] * ends["examples"]).fillna(0.0), threshold=ends["low"])
    groups = ends.groupby(["calibrated", "exit"])
    above = ends.assign(
        share=groups["examples"].cumsum() / groups["examples"].transform("sum"),
        accuracy=groups["right"].cumsum() / groups["examples"].cumsum(),
    )
    least = above.groupby("threshold")["share"].min()
    telling = least.index[(least >= LEAST) & (least < 1)]
    found = above[above["threshold"] == telling.max()] if len(telling) else above.iloc[:0]
    return found.sort_values(["calibrated", "exit"])[list(THRESHOLD)].reset_index(drop=True)
