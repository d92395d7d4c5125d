"""Groups of runs compared: expected best over the number of runs, and the best score so far over cost.

For runs of any origin, about which nothing is known but a score, perhaps a cost, and a group: there is no sweep file
that would say how they were chosen, which of them a scheduler ended, or which are seeds of one configuration.

* Only runs that finished with a finite score count. A run that failed, was killed or has not ended gives no score, even
  if it had logged one by then: the last value of an unfinished run is neither its final score nor a bound of it.
* A run that is a parent of runs with a score, at any height, is set aside, as its score and its cost repeat theirs.
* Expected best of n runs, for n = 1 .. N of each group: the unbiased estimate of `tuning_curve`, which presumes
  independent draws from one distribution. That cannot be checked here.
* The best score so far is over cumulative cost, runs in the order in which they began, each paid for when it ends.
  Runs that failed or were killed cost what is recorded of them and score nothing; those that have not ended are left
  out.
* No expected best over cost: n x mean cost is wrong where costs vary.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.curves.best_so_far import improvements
from greenexp.analysis.curves.evp import expected_best_curve
from greenexp.analysis.curves.tuning_curve import tuning_curve

COUNTED = "counted"
OUTCOMES = (COUNTED, "failed", "killed", "not_ended", "no_score", "not_finite", "summary")
"""What becomes of a run: counted, or why it has no score; summary: parent of runs that have one."""
ENDED = frozenset({COUNTED, "failed", "killed", "no_score", "not_finite"})
NOT_SET, ALL = "not set", "all runs"
_STATES = {"FAILED": "failed", "KILLED": "killed", "RUNNING": "not_ended", "SCHEDULED": "not_ended"}
_BEST_SO_FAR = ("group", "cost", "score", "run", "name", "improved")


@dataclass(frozen=True)
class GroupComparison:
    """Groups side by side.

    groups: one row per group, best first: group, runs, one count per OUTCOMES, mean_score, std_score (n - 1), shared
    (expected best of `shared` runs), best_score, best_run, best_name, cost (of all ended runs; NaN if it is not known
    of one), least_cost, most_cost (of one counted run), cost_unknown (ended runs without a cost)
    curve: group, runs (n), expected_best, standard_deviation (of the best of n, from search to search)
    best_so_far: group, cost, score, run, name, improved; a row for every improvement and one where the runs end. Empty
    without costs; `no_best_so_far` says for which groups there is none, and why
    runs: the runs given, with `outcome`
    shared: the largest n that every group with a score has, 0 if there is no score at all
    """

    groups: pd.DataFrame
    curve: pd.DataFrame
    best_so_far: pd.DataFrame
    no_best_so_far: dict[str, str]
    runs: pd.DataFrame
    shared: int
    minimize: bool

    @property
    def scored(self) -> pd.DataFrame:
        """The groups of which a run counts."""
        return self.groups[self.groups[COUNTED] > 0]


def compare_groups(runs: pd.DataFrame, *, costs: bool, minimize: bool = False) -> GroupComparison:
    """Compare the groups of `runs`.

    runs: run, name, status (FINISHED, FAILED, KILLED, RUNNING, SCHEDULED), parent (a run or ""), began_s, logged (has a
    score, finite or not), score, cost (NaN: not recorded), group (missing values are a group of their own, `not set`)
    costs: whether `cost` was asked for; minimize: a smaller score is better
    """
    table = runs.sort_values(["began_s", "run"], kind="stable", ignore_index=True)
    table = table.assign(outcome=_outcomes(table), group=_named(table["group"]))
    counted = table[table["outcome"] == COUNTED]
    sizes = counted["group"].value_counts()
    shared = int(sizes.min()) if len(sizes) else 0
    rows = [_group(str(name), members, shared, minimize) for name, members in table.groupby("group", sort=False)]
    groups = pd.DataFrame(rows).sort_values("best_score", ascending=minimize, kind="stable", ignore_index=True)
    order = [str(name) for name in groups["group"]]
    parts = {name: table[table["group"] == name] for name in order}
    refused = {name: _refusal(part) for name, part in parts.items()} if costs else {}
    lines = [_best_so_far(name, parts[name], minimize) for name, reason in refused.items() if not reason]
    return GroupComparison(
        groups=groups,
        curve=_curves(parts, minimize),
        best_so_far=pd.concat(lines, ignore_index=True) if lines else pd.DataFrame(columns=list(_BEST_SO_FAR)),
        no_best_so_far={name: reason for name, reason in refused.items() if reason},
        runs=table,
        shared=shared,
        minimize=minimize,
    )


def _named(groups: pd.Series[Any]) -> pd.Series[Any]:
    """Group names; one group if no run has any. A value that reads `not set` shares the group of those without."""
    return groups.astype(object).where(groups.notna(), NOT_SET if groups.notna().any() else ALL)


def _outcomes(runs: pd.DataFrame) -> list[str]:
    """One of OUTCOMES per run."""
    scored = runs["logged"].astype(bool)
    summaries = _ancestors(runs, scored)
    finite = np.isfinite(runs["score"].to_numpy(dtype=float))
    found = []
    for run, status, has_score, is_finite in zip(runs["run"], runs["status"], scored, finite, strict=True):
        if run in summaries:
            found.append("summary")
        elif status in _STATES:
            found.append(_STATES[status])
        elif not has_score:
            found.append("no_score")
        else:
            found.append(COUNTED if is_finite else "not_finite")
    return found


def _ancestors(runs: pd.DataFrame, scored: pd.Series[bool]) -> set[str]:
    """Runs above a run with a score, at any height."""
    parents = dict(zip(runs["run"], runs["parent"], strict=True))
    found: set[str] = set()
    above = set(runs.loc[scored, "parent"]) - {""}
    while above:
        found |= above
        above = {parents.get(run, "") for run in above} - {""} - found
    return found


def _group(name: str, members: pd.DataFrame, shared: int, minimize: bool) -> dict[str, Any]:
    """The row of one group."""
    counted = members[members["outcome"] == COUNTED]
    ended = members[members["outcome"].isin(ENDED)]
    scores = counted["score"]
    row = {"group": name, "runs": len(members)}
    row |= {outcome: int((members["outcome"] == outcome).sum()) for outcome in OUTCOMES}
    row |= {"mean_score": math.nan, "std_score": math.nan, "shared": math.nan, "best_score": math.nan}
    row |= {"best_run": "", "best_name": ""}
    if len(counted):
        best = counted.iloc[int(scores.argmin() if minimize else scores.argmax())]
        row |= {
            "mean_score": float(scores.mean()),
            "std_score": float(scores.std()),
            "best_score": float(best["score"]),
        }
        row |= {"shared": float(tuning_curve(scores, shared, minimize=minimize))}
        row |= {"best_run": best["run"], "best_name": best["name"]}
    known = bool(ended["cost"].notna().all())
    row |= {"cost": float(ended["cost"].sum()) if known and len(ended) else math.nan}
    row |= {"least_cost": float(counted["cost"].min()), "most_cost": float(counted["cost"].max())}
    return row | {"cost_unknown": int(ended["cost"].isna().sum())}


def _curves(parts: dict[str, pd.DataFrame], minimize: bool) -> pd.DataFrame:
    curves = []
    for name, members in parts.items():
        scores = members.loc[members["outcome"] == COUNTED, "score"].to_numpy(dtype=float)
        if scores.size:
            curve = expected_best_curve(scores, "unbiased", minimize).rename(columns={"configurations": "runs"})
            curve.insert(0, "group", name)
            curves.append(curve)
    if not curves:
        return pd.DataFrame(columns=["group", "runs", "expected_best", "standard_deviation"])
    return pd.concat(curves, ignore_index=True)


def _refusal(members: pd.DataFrame) -> str:
    """Why a group has no best score so far over cost, or an empty string."""
    counted = members[members["outcome"] == COUNTED]
    missing = int(counted["cost"].isna().sum())
    if counted.empty:
        return "no run counts"
    return f"{missing} of its {len(counted)} runs with a score have no cost" if missing else ""


def _best_so_far(name: str, members: pd.DataFrame, minimize: bool) -> pd.DataFrame:
    """Best score so far after each improvement, and where the runs end."""
    ended = members[members["outcome"].isin(ENDED)]
    paid = ended["cost"].fillna(0.0).cumsum()  # what is not known is counted in `cost_unknown`
    rows = ended.assign(group=name, cost=paid, improved=True)[list(_BEST_SO_FAR)].astype({"score": "float64"})
    found = rows[improvements(rows["score"].where(ended["outcome"] == COUNTED), minimize)]
    if len(found) and found["cost"].iloc[-1] < rows["cost"].iloc[-1]:
        end = found.iloc[[-1]].assign(cost=rows["cost"].iloc[-1], improved=False)
        found = pd.concat([found, end])
    return found.reset_index(drop=True)
