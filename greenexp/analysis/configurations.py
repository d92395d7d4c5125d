"""A table of configurations: mean and standard deviation over seeds, where there is such a thing.

The mean over seeds belongs to a configuration only if its seeds trained for the same length: all to the end, or all
stopped at the same rung. In the second case it is a bound on what full training would have given (trial score = best
dev value so far). A configuration with a failed seed has no mean: dropping the seed would hide the failure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.metric import metric_of
from greenexp.records.tables import PARAMS, SUMMED_COSTS, SweepTables

UNFINISHED = ("planned", "running", "paused", "interrupted")


def configuration_table(tables: SweepTables) -> pd.DataFrame:
    """One row per configuration, best mean first, those without a mean last (in plan order).

    configuration; `params.<path>`; state: complete | stopped | stopped apart | failed | unfinished
    seeds: planned trials; ended: finished or stopped ones; failed
    score_mean, score_std: over seeds, in the metric's unit; score_std with n-1 (one seed: NaN)
    best_score: best trial score of the seeds that did not fail
    reason: why there is no mean, or what it is a bound on; epochs: reached, added up over seeds
    cost columns: totals over seeds and attempts, NaN if any part was not measured
    """
    metric = metric_of(tables)
    rows = [_row(tables, str(name), group) for name, group in tables.trials.groupby("configuration", sort=False)]
    frame = pd.DataFrame(rows, columns=_columns(tables))
    keys = frame["score_mean"] if metric.minimize else -frame["score_mean"]
    return frame.iloc[np.argsort(keys.to_numpy(), kind="stable")].reset_index(drop=True)


def state_of(trials: pd.DataFrame) -> tuple[str, str]:
    """State of a configuration from the rows of its trials, and the reason in words (empty if complete)."""
    status = trials["status"]
    if (status == "failed").any():
        failed = trials.loc[status == "failed"]
        pairs = zip(failed["trial"], failed["reason"], strict=True)
        named = ", ".join(f"{trial} ({why or 'no reason recorded'})" for trial, why in pairs)
        return "failed", f"{len(failed)} of {len(trials)} seeds failed: {named}"
    if status.isin(UNFINISHED).any():
        open_ones = status[status.isin(UNFINISHED)]
        words = ", ".join(f"{count} {name}" for name, count in open_ones.value_counts(sort=False).items())
        return "unfinished", f"seeds not ended: {words}"
    if (status == "finished").all():
        return "complete", ""
    if (status == "stopped").all() and trials["epochs"].min() == trials["epochs"].max():
        return "stopped", f"all seeds stopped after epoch {trials['epochs'].iloc[0]}"
    pairs = zip(trials["trial"], trials["epochs"], strict=True)
    lengths = ", ".join(f"{trial} after epoch {epochs}" for trial, epochs in pairs)
    return "stopped apart", f"seeds trained for different lengths: {lengths}"


def _columns(tables: SweepTables) -> list[str]:
    params = [PARAMS + path for path in tables.parameters]
    scores = ["score_mean", "score_std", "best_score", "reason", "epochs"]
    return ["configuration", *params, "state", "seeds", "ended", "failed", *scores, *SUMMED_COSTS]


def _row(tables: SweepTables, name: str, trials: pd.DataFrame) -> dict[str, Any]:
    state, reason = state_of(trials)
    shown = trials["score"] if state in {"complete", "stopped"} else trials["score"].iloc[:0]
    scores = shown.astype("float64")
    valid = trials.loc[trials["status"] != "failed", "score"]
    return {
        "configuration": name,
        **{PARAMS + path: trials[PARAMS + path].iloc[0] for path in tables.parameters},
        "state": state,
        "seeds": len(trials),
        "ended": int(trials["status"].isin(["finished", "stopped"]).sum()),
        "failed": int((trials["status"] == "failed").sum()),
        "score_mean": float(scores.mean()),
        "score_std": float(scores.std(ddof=1)),
        "best_score": metric_of(tables).best(valid),
        "reason": reason,
        "epochs": int(trials["epochs"].sum()),
        **{cost: _total(trials, cost) for cost in SUMMED_COSTS},
    }


def _total(trials: pd.DataFrame, cost: str) -> float:
    """The sum over trials that reported an epoch; NaN as soon as one of them was not measured."""
    return float(trials.loc[trials["epochs"] > 0, cost].sum(skipna=False, min_count=1))
