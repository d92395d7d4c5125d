"""The realised incumbent: the best score this sweep had in hand after paying a given cost.

It describes the one search that was run, in the order things happened; it estimates nothing. Scores of trials that
failed later do not count (a failed trial gives no score, here and in every other table), their costs do. The same goes
for an epoch that a later attempt trained again, unless it came to the same score, and for a stage of training that was
scored over other exits than the trial's last epoch: in the trial's own score it does not count either.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.scored_exits import over_other_exits
from greenexp.errors import did_you_mean
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables

COLUMNS = ("cost", "score", "trial", "configuration", "epoch", "time_s", "improved")


def incumbent(tables: SweepTables, axis: str) -> pd.DataFrame:
    """Best trial score so far against the cumulative cost on `axis` (a name of records/axes.py).

    A row for every improvement (`improved`) and one where the reports end, unless that is one. cost: in the axis's
    unit, of everything reported up to and including that epoch, repeated epochs too; score: in the metric's unit, of
    the single trial named beside it; time_s: since the sweep began. Empty if nothing was reported.
    Raises ValueError for an unknown axis, and for one that some report has no measurement of.
    """
    problem = not_measured(tables, axis)
    if problem:
        raise ValueError(problem)
    metric = metric_of(tables)
    epochs = tables.epochs.sort_values("time_s", kind="stable")
    failed = set(tables.trials.loc[tables.trials["status"] == "failed", "trial"])
    set_aside = [any(pair) for pair in zip(_superseded(epochs), over_other_exits(tables, epochs), strict=True)]
    reports = epochs[["score", "trial", "configuration", "epoch", "time_s"]].assign(cost=_cumulative(epochs, axis))
    rows: list[dict[Any, Any]] = []
    best = math.nan
    last = 0
    for place, report in enumerate(reports.to_dict("records")):
        score = float(report["score"])
        if report["trial"] in failed or set_aside[place] or math.isnan(score):
            continue
        if not rows or metric.is_better(score, best):
            best, last = score, place
            rows.append({**report, "improved": True})
    if rows and last < len(reports) - 1:
        end = {"cost": reports["cost"].iloc[-1], "time_s": reports["time_s"].iloc[-1], "improved": False}
        rows.append({**rows[-1], **end})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _superseded(epochs: pd.DataFrame) -> list[bool]:
    """Which reports were replaced by one of a later attempt with another score."""
    keys = list(zip(epochs["trial"], epochs["epoch"], strict=True))
    scores = epochs["score"].tolist()
    repeated = epochs["repeated"].tolist()
    final = {key: score for key, score, again in zip(keys, scores, repeated, strict=True) if not again}
    return [again and final.get(key) != score for key, score, again in zip(keys, scores, repeated, strict=True)]


def not_measured(tables: SweepTables, axis: str) -> str:
    """Why there is no cumulative cost on `axis`, or an empty string if there is."""
    if axis not in AXES:
        raise ValueError(f"unknown budget axis '{axis}'{did_you_mean(axis, AXES)} (known: {', '.join(AXES)})")
    if axis in {"trials", "epochs"}:
        return ""
    missing = int(tables.epochs[axis].isna().sum())
    if not missing:
        return ""
    reasons = tables.ledger.loc[tables.ledger["axis"] == axis, "reason"]
    reason = str(reasons.iloc[0]) if len(reasons) else ""
    why = f": {reason}" if reason else ""
    part = "" if missing == len(tables.epochs) else f" in {missing} of {len(tables.epochs)} epochs"
    return f"{AXES[axis].sum_title} ({axis}) was not measured{part}{why}"


def _cumulative(epochs: pd.DataFrame, axis: str) -> pd.Series[float]:
    """Cost of everything up to each report. A trial is paid for when it first reports."""
    if axis == "trials":
        return (~epochs["trial"].duplicated()).cumsum().astype(float)
    if axis == "epochs":
        return pd.Series(range(1, len(epochs) + 1), index=epochs.index, dtype=float)
    return epochs[axis].cumsum()
