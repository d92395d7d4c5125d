"""Best so far: the best score in hand after each trial, or after a given cost was paid.

It describes one search, in the order in which things happened; it estimates nothing. A trial without a score costs what
it cost and changes nothing. With scores y_1, y_2, ... in the order in which their trials ended and c_i what had been
spent by the end of trial i,

    best so far after trial i    max(y_1, ..., y_i)    (min where a smaller score is better)
    best so far at budget b      that of the last i with c_i <= b; NaN if there is none, or none has a score

Of a sweep, scores of trials that failed later do not count (a failed trial gives no score, here and in every other
table), their costs do. The same goes for an epoch that a later attempt trained again, unless it came to the same score,
and for a stage of training that was scored over other exits than the trial's last epoch: in the trial's own score it
does not count either.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from greenexp.analysis.numbers.rounding import raised
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.scored_exits import over_other_exits
from greenexp.errors import did_you_mean
from greenexp.records.arrays import Floats
from greenexp.records.axes import AXES
from greenexp.records.tables import SweepTables

COLUMNS = ("cost", "score", "trial", "configuration", "epoch", "time_s", "improved")


def best_so_far(scores: ArrayLike, minimize: bool = False) -> Floats:
    """[N], the best of the first n of `scores` [N], which may be NaN; NaN before the first score."""
    best: Floats = (np.fmin if minimize else np.fmax).accumulate(np.asarray(scores, dtype=np.float64))
    return best


def best_at(scores: ArrayLike, spent: ArrayLike, budgets: ArrayLike, minimize: bool = False) -> Floats:
    """[B], the best so far at each of `budgets` [B]; NaN where nothing had a score by then.

    scores: [N], in the order in which their trials ended, NaN for a trial without one; spent: [N], ascending, what had
    been paid by the end of each, in the unit of `budgets`
    """
    best = np.concatenate(([np.nan], best_so_far(scores, minimize)))
    limits = raised(np.asarray(budgets, dtype=np.float64))  # sums in another order lose digits
    at: Floats = best[np.searchsorted(np.asarray(spent, dtype=np.float64), limits, side="right")]
    return at


def improvements(scores: ArrayLike, minimize: bool = False) -> NDArray[np.bool_]:
    """[N], whether each of `scores` [N] is better than all before it; a NaN is not."""
    best = best_so_far(scores, minimize)
    return np.asarray(best != np.concatenate(([np.nan], best[:-1]))) & ~np.isnan(best)


def best_so_far_over(tables: SweepTables, axis: str) -> pd.DataFrame:
    """Best trial score so far of a sweep against the cumulative cost on `axis` (a name of records/axes.py).

    A row for every improvement (`improved`) and one where the reports end, unless that is one. cost: in the axis's
    unit, of everything reported up to and including that epoch, repeated epochs too; score: in the metric's unit, of
    the single trial named beside it; time_s: since the sweep began. Empty if nothing was reported.
    Raises ValueError for an unknown axis, and for one that some report has no measurement of.
    """
    problem = not_measured(tables, axis)
    if problem:
        raise ValueError(problem)
    epochs = tables.epochs.sort_values("time_s", kind="stable")
    failed = epochs["trial"].isin(tables.trials.loc[tables.trials["status"] == "failed", "trial"])
    others = (np.array(rows, dtype=bool) for rows in (_superseded(epochs), over_other_exits(tables, epochs)))
    on_a_part = epochs["dev_examples"].notna().to_numpy()
    set_aside = np.logical_or.reduce([failed.to_numpy(), on_a_part, *others])
    reports = epochs.assign(cost=_cumulative(epochs, axis, tables.spec.training.reports_per_epoch), improved=True)[
        list(COLUMNS)
    ]
    rows = reports[improvements(reports["score"].mask(set_aside), metric_of(tables).minimize)]
    if len(rows) and rows.index[-1] != reports.index[-1]:
        end = rows.iloc[[-1]].assign(improved=False)
        for column in ("cost", "time_s"):
            end[column] = reports[column].iloc[-1]
        rows = pd.concat([rows, end])
    return rows.reset_index(drop=True)


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


def _cumulative(epochs: pd.DataFrame, axis: str, reports_per_epoch: int) -> pd.Series[float]:
    """Cost of everything up to each report. A trial is paid for when it first reports."""
    if axis == "trials":
        return (~epochs["trial"].duplicated()).cumsum().astype(float)
    if axis == "epochs":
        return pd.Series(range(1, len(epochs) + 1), index=epochs.index, dtype=float) / reports_per_epoch
    return epochs[axis].cumsum()
