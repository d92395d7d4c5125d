"""A table of configurations: mean and standard deviation over seeds, where there is such a thing.

The mean over seeds belongs to a configuration only if its seeds trained for the same length: all to the end, or all
stopped at the same rung. In the second case it is a bound on what full training would have given (trial score = best
dev value so far). A seed that ended by its own patience is at its end, however early: its score is no bound, and it
counts with it at every later rung (`records.selection`). A configuration with a failed seed has no mean: dropping the
seed would hide the failure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.repetitions import has_folds, over_folds
from greenexp.records.progress import Epochs
from greenexp.records.selection import configuration_means, ended_together, outcomes_of
from greenexp.records.tables import PARAMS, SUMMED_COSTS, SweepTables

UNFINISHED = ("planned", "running", "paused", "interrupted")


def configuration_table(tables: SweepTables) -> pd.DataFrame:
    """One row per configuration, best mean first (of equal ones the first in plan order), those without a mean last.

    The first row, if it has a mean, is the configuration that `records.selection` chooses.

    configuration; `params.<path>`; state: complete | stopped | stopped apart | failed | unfinished
    seeds: planned pairs of seeds; ended: trials that finished or were stopped; failed: trials
    score_mean, score_std: over seeds, in the metric's unit; score_std with n-1 (one seed: NaN). With folds the mean is
        over seeds and folds, and the deviation over seeds, of their means over folds (`analysis.sweeps.repetitions`)
    best_score: best trial score of the seeds that did not fail
    reason: why there is no mean, or what it is a bound on; epochs: reached, added up over seeds
    cost columns: totals over seeds and attempts, NaN if any part was not measured
    """
    metric = metric_of(tables)
    trials = tables.trials
    states = configuration_states(trials)
    groups = trials.groupby("configuration", sort=False)
    frame = pd.DataFrame({"configuration": list(states)})
    index = frame["configuration"]
    for name in (PARAMS + path for path in tables.parameters):
        # Not groups.first(), which skips missing values: None is a value of a parameter.
        frame[name] = trials.drop_duplicates("configuration").set_index("configuration")[name].reindex(index).to_numpy()
    frame["state"] = [state for state, _ in states.values()]
    repeated = over_folds(trials).groupby("configuration", sort=False)
    frame["seeds"] = repeated.size().reindex(index).to_numpy()
    frame["ended"] = _count(trials, trials["status"].isin(["finished", "stopped"]), index)
    frame["failed"] = _count(trials, trials["status"] == "failed", index)
    means = configuration_means(outcomes_of(trials))
    frame["score_mean"] = np.array([means.get(name, np.nan) for name in states], dtype=np.float64)
    frame["score_std"] = np.where(frame["score_mean"].notna(), repeated["score"].std().reindex(index), np.nan)
    valid = trials["score"].where(trials["status"] != "failed").groupby(trials["configuration"], sort=False)
    frame["best_score"] = valid.agg(metric.mode).reindex(index).to_numpy()
    frame["reason"] = [reason for _, reason in states.values()]
    frame["epochs"] = groups["epochs"].sum().reindex(index).to_numpy()
    for cost in SUMMED_COSTS:
        frame[cost] = _total(trials, cost).reindex(index).to_numpy()
    keys = frame["score_mean"] if metric.minimize else -frame["score_mean"]
    return frame.iloc[np.argsort(keys.to_numpy(), kind="stable")].reset_index(drop=True)


def configuration_states(trials: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Configuration -> its state, and the reason in words (empty if complete), in plan order.

    state: complete (all seeds finished), stopped (all at one epoch), stopped apart, failed (a seed did), or unfinished.
    """
    many = "trials (seeds x folds)" if has_folds(trials) else "seeds"
    groups: dict[str, list[_Seed]] = {}
    columns = (trials[name].tolist() for name in ("configuration", "trial", "status", "epochs", "reason"))
    for configuration, *rest in zip(*columns, strict=True):
        groups.setdefault(configuration, []).append(_Seed(*rest))
    return {name: _state(seeds, many) for name, seeds in groups.items()}


class _Seed(NamedTuple):
    trial: str
    status: str
    epochs: Epochs
    reason: str


def _state(seeds: Sequence[_Seed], many: str) -> tuple[str, str]:
    failed = [seed for seed in seeds if seed.status == "failed"]
    if failed:
        named = ", ".join(f"{seed.trial} ({seed.reason or 'no reason recorded'})" for seed in failed)
        return "failed", f"{len(failed)} of {len(seeds)} {many} failed: {named}"
    unfinished = Counter(seed.status for seed in seeds if seed.status in UNFINISHED)
    if unfinished:
        return "unfinished", f"{many} not ended: {', '.join(f'{count} {name}' for name, count in unfinished.items())}"
    if all(seed.status == "finished" for seed in seeds):
        return "complete", ""
    if ended_together((seed.status, seed.epochs) for seed in seeds):
        last = max(seed.epochs for seed in seeds if seed.status == "stopped")
        done = sum(seed.status == "finished" for seed in seeds)
        before = f", but for {done} of {len(seeds)} that had ended by patience" if done else ""
        return "stopped", f"all {many} stopped after epoch {last:g}{before}"
    lengths = ", ".join(f"{seed.trial} after epoch {seed.epochs:g}" for seed in seeds)
    return "stopped apart", f"{many} trained for different lengths: {lengths}"


def _count(trials: pd.DataFrame, mask: pd.Series[bool], index: pd.Series[str]) -> NDArray[np.integer]:
    return mask.astype("int64").groupby(trials["configuration"], sort=False).sum().reindex(index).to_numpy()


def _total(trials: pd.DataFrame, cost: str) -> pd.Series[float]:
    """The sum over trials that reported an epoch; NaN as soon as one of them was not measured."""
    reported = trials[trials["epochs"] > 0]
    groups = reported.groupby("configuration", sort=False)[cost]
    total: pd.Series[float] = groups.sum(min_count=1).where(groups.count() == groups.size())
    return total
