"""Thresholds that were chosen on dev, and what they are worth on test.

For a policy, a target speed-up and a trial, the threshold with the best dev score among those that meet the target on
dev is fixed, and then applied to test. The drop is dev score - test score of the same trial. It contains the choice of
the threshold, of the epoch and of the configuration, all made on dev, and the chance in which examples are in which
set; these parts are not told apart.
"""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.policies import is_bound


def dev_to_test(thresholds: pd.DataFrame) -> pd.DataFrame:
    """Means over trials of the table `thresholds_on_test`, a row per policy and target; bounds are left out.

    A target that one of the trials cannot meet has no row: means over different trials would not compare.
    policy, target, trials; threshold_low, threshold_high: every trial has its own
    dev_mean, dev_std, test_mean, test_std, drop_mean, drop_std: of scores; std with n - 1 (NaN for one trial)
    dev_speed_up, test_speed_up, dev_inference_flops, test_inference_flops: means
    """
    rows = thresholds[~is_bound(thresholds["policy"])].dropna(subset=["dev_score", "test_score"])
    rows = rows.assign(drop=rows["dev_score"] - rows["test_score"])
    prices = ("dev_speed_up", "test_speed_up", "dev_inference_flops", "test_inference_flops")
    found = (
        rows.groupby(["policy", "target"], sort=False)
        .agg(
            trials=("trial", "nunique"),
            threshold_low=("threshold", "min"),
            threshold_high=("threshold", "max"),
            dev_mean=("dev_score", "mean"),
            dev_std=("dev_score", "std"),
            test_mean=("test_score", "mean"),
            test_std=("test_score", "std"),
            drop_mean=("drop", "mean"),
            drop_std=("drop", "std"),
            **{name: (name, "mean") for name in prices},
        )
        .reset_index()
    )
    return found[found["trials"] == rows["trial"].nunique()].reset_index(drop=True)
