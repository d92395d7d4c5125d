"""A table of configurations: mean and standard deviation over seeds, where there is such a thing.

The mean over seeds belongs to a configuration only if its seeds trained for the same length: all to the end, or all
stopped at the same rung. In the second case it is a bound on what full training would have given (trial score = best
dev value so far). A seed that ended by its own patience is at its end, however early: its score is no bound, and it
counts with it at every later rung (`records.selection`). A configuration with a failed seed has no mean: dropping the
seed would hide the failure. Seeds that a scheduler gave up before they began are no part of a mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.once import once_per_sweep
from greenexp.analysis.sweeps.repetitions import has_folds, over_folds
from greenexp.records.progress import Epochs
from greenexp.records.selection import configuration_means, ended_together, outcomes_of
from greenexp.records.tables import PARAMS, SUMMED_COSTS, SweepTables

UNFINISHED = ("planned", "running", "paused", "interrupted")


def configuration_table(tables: SweepTables) -> pd.DataFrame:
    """One row per configuration: those with the most seeds first, of these the best mean; without a mean last.

    Of equal ones the last in plan order; those without a mean as in the plan.

    The first row, if it has a mean, is the configuration that `records.selection` chooses.

    configuration; `params.<path>`; state: complete | stopped | stopped apart | failed | unfinished
    seeds: planned pairs of seeds, without those that were given up before they began
    ended: trials that finished or were stopped; failed: trials
    score_mean, score_std: over seeds, in the metric's unit; score_std with n-1 (one seed: NaN). With folds the mean is
        over seeds and folds, and the deviation over seeds, of their means over folds (`analysis.sweeps.repetitions`)
    best_score: best trial score of the seeds that did not fail
    reason: why there is no mean, or what it is a bound on; epochs: reached, added up over seeds
    cost columns: totals over seeds and attempts, NaN if any part was not measured
    """
    return _configurations(tables).copy()


@once_per_sweep
def _configurations(tables: SweepTables) -> pd.DataFrame:
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
    given_up = is_given_up(trials)
    repeated = over_folds(trials[~given_up]).groupby("configuration", sort=False)
    frame["seeds"] = repeated.size().reindex(index, fill_value=0).to_numpy()
    frame["ended"] = _count(trials, trials["status"].isin(["finished", "stopped"]) & ~given_up, index)
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
    fewer = np.where(frame["score_mean"].notna(), -frame["seeds"], 0)
    place = np.arange(len(frame))
    later_first = np.where(frame["score_mean"].notna(), -place, place)
    return frame.iloc[np.lexsort((later_first, keys.to_numpy(), fewer))].reset_index(drop=True)


def configuration_states(trials: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Configuration -> its state, and the reason in words (empty if complete), in plan order.

    state: complete (all seeds finished), stopped (all at one epoch, or some given up before they began), stopped apart,
    failed (a seed did), or unfinished.
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


def is_given_up(trials: pd.DataFrame) -> pd.Series[bool]:
    """Per trial: whether it was stopped before it began, with its configuration."""
    return (trials["status"] == "stopped") & (trials["epochs"] == 0)


def stopped_without_score(trials: pd.DataFrame) -> int:
    """How many configurations have a trial that was stopped before a report on all of dev (`training.report_dev`)."""
    without = (trials["status"] == "stopped") & trials["score"].isna() & (trials["epochs"] > 0)
    return int(trials.loc[without, "configuration"].nunique())


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
    began = [seed for seed in seeds if seed.status != "stopped" or seed.epochs]
    if ended_together((seed.status, seed.epochs) for seed in began):
        return "stopped", _stopped(began, len(seeds), many)
    lengths = ", ".join(f"{seed.trial} after epoch {seed.epochs:g}" for seed in seeds)
    return "stopped apart", f"{many} trained for different lengths: {lengths}"


def _stopped(began: Sequence[_Seed], planned: int, many: str) -> str:
    """How the seeds that began ended, of a configuration of which the scheduler stopped or gave up some."""
    given_up = planned - len(began)
    which = f"{len(began)} of {planned} {many}" if given_up else f"all {many}"
    rest = f"; the other {given_up} were given up before they began" if given_up else ""
    epochs = [seed.epochs for seed in began if seed.status == "stopped"]
    if not epochs:
        return f"{which} trained to their end{rest}"
    done = len(began) - len(epochs)
    before = f", but for {done} of {len(began)} that had ended by patience" if done else ""
    return f"{which} stopped after epoch {max(epochs):g}{before}{rest}"


def _count(trials: pd.DataFrame, mask: pd.Series[bool], index: pd.Series[str]) -> NDArray[np.integer]:
    return mask.astype("int64").groupby(trials["configuration"], sort=False).sum().reindex(index).to_numpy()


def _total(trials: pd.DataFrame, cost: str) -> pd.Series[float]:
    """The sum over trials that reported an epoch; NaN as soon as one of them was not measured."""
    reported = trials[trials["epochs"] > 0]
    groups = reported.groupby("configuration", sort=False)[cost]
    total: pd.Series[float] = groups.sum(min_count=1).where(groups.count() == groups.size())
    return total
