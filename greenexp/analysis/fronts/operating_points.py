"""Operating points of all trials: dev score against inference FLOPs, which are worth using, what one gives up.

Assumption: the points are compared on the dev set that also chose the best epoch and the configuration, so the best of
many is an optimistic estimate of what it would do on new data.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.fronts.pareto import pareto_front
from greenexp.analysis.numbers.rounding import at_least_as_good
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.once import once_per_sweep
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables


def operating_front(tables: SweepTables) -> pd.DataFrame:
    """The operating points of trials that did not fail, cheapest first, with the column `on_front`.

    Policies that need the labels (the oracle) are left out: a bound is nothing that can be chosen.

    On the front: no other point has at most as many FLOPs and at least as good a score, and is better in one.
    Points without a score or FLOPs are kept, and never on the front.
    """
    return _with_front(tables).copy()


@once_per_sweep
def _with_front(tables: SweepTables) -> pd.DataFrame:
    failed = tables.trials.loc[tables.trials["status"] == "failed", "trial"]
    points = tables.operating_points
    points = points[~points["trial"].isin(failed) & ~is_bound(points["policy"])]
    points = points.sort_values("inference_flops", kind="stable").reset_index(drop=True)
    mask = pareto_front(points[["inference_flops", "score"]].to_numpy(), ("min", metric_of(tables).mode))
    return points.assign(on_front=mask)


def cheapest_within(points: pd.DataFrame, tolerance: float, *, minimize: bool) -> pd.Series | None:
    """The row with the fewest inference FLOPs whose score is within `tolerance` of the best.

    points: score, inference_flops (further columns come along); tolerance in the score's unit. None without any
    score; of equally cheap rows the one with the better score.
    """
    known = points.dropna(subset=["score", "inference_flops"])
    if known.empty:
        return None
    loss = known["score"] if minimize else -known["score"]
    near = known.assign(_loss=loss)[at_least_as_good(loss, loss.min() + tolerance, minimize=True)]
    row: pd.Series = near.sort_values(["inference_flops", "_loss"], kind="stable").drop(columns="_loss").iloc[0]
    return row


def cheapest_reaching(points: pd.DataFrame, score: float, *, minimize: bool) -> pd.Series | None:
    """The row with the fewest inference FLOPs whose score is at least as good as `score`; None if there is none."""
    known = points.dropna(subset=["score", "inference_flops"])
    good = known[at_least_as_good(known["score"], score, minimize)]
    return None if good.empty else good.sort_values("inference_flops", kind="stable").iloc[0]


def evenly(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most `most` rows, evenly spaced over their order, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, most).round().astype(int))]


def exit_summary(tables: SweepTables) -> pd.DataFrame:
    """One row per exit, over trials that finished: how it does at the trial's best epoch, used alone.

    exit; layer; trials; score_mean, score_std (n-1), score_best: over trials, that is over configurations and seeds;
    inference_flops: mean FLOPs per dev example.
    """
    columns = ["exit", "layer", "trials", "score_mean", "score_std", "score_best", "inference_flops"]
    metric = metric_of(tables)
    finished = tables.trials.loc[tables.trials["status"] == "finished", "trial"]
    points = tables.operating_points
    points = points[points["trial"].isin(finished) & (points["policy"] == STATIC)]
    rows = [
        {
            "exit": int(group["threshold"].iloc[0]),
            "layer": int(group["mean_layers"].iloc[0]),
            "trials": int(group["score"].notna().sum()),
            "score_mean": group["score"].mean(),
            "score_std": group["score"].std(ddof=1),
            "score_best": metric.best(group["score"]),
            "inference_flops": group["inference_flops"].mean(),
        }
        for _, group in points.groupby("threshold", sort=True)
    ]
    return pd.DataFrame(rows, columns=columns)
