"""Every configuration at every exit, over its seeds: each exit used alone at the trial's best epoch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.sweeps.repetitions import SEEDS
from greenexp.records.policies import STATIC
from greenexp.records.tables import SUMMED_COSTS, SweepTables

MEANS = ("configuration", "exit", "layer", "seeds", "score_mean", "score_std")
TO_END, TO_BEST = "to_end", "to_best"


def exit_scores(tables: SweepTables) -> pd.DataFrame:
    """A row per finished pair of seeds and trained exit: configuration, SEEDS, exit, layer, score on dev.

    At the trial's best epoch; of a sweep with folds the mean over those that finished. An untrained exit has no row.
    """
    trials = tables.trials.loc[tables.trials["status"] == "finished", ["trial", *SEEDS]]
    points = tables.operating_points
    points = points[points["policy"] == STATIC].merge(trials, on="trial")
    points = points.assign(exit=points["threshold"].astype(int), layer=points["mean_layers"].astype(int))
    keys = ["configuration", *SEEDS, "exit", "layer"]
    return points.groupby(keys, sort=False)["score"].mean().reset_index()


def exit_means(tables: SweepTables) -> pd.DataFrame:
    """A row per configuration and trained exit, MEANS: mean and standard deviation (n - 1; of one NaN) over seeds."""
    groups = exit_scores(tables).groupby(["configuration", "exit", "layer"], sort=False)["score"]
    frame = pd.DataFrame({"seeds": groups.count(), "score_mean": groups.mean(), "score_std": groups.std(ddof=1)})
    return frame.reset_index()[list(MEANS)]


def training_costs(tables: SweepTables) -> pd.DataFrame:
    """What finished trials took: a row per trial and `until`, `to_end` or `to_best` (up to its best epoch).

    trial; configuration; until; epochs; one column per cost: the sum over those epochs, each counted once however often
    it was repeated after a break; NaN if it was not measured in one of them.
    """
    trials = tables.trials[tables.trials["status"] == "finished"]
    epochs = tables.epochs[~tables.epochs["repeated"]].merge(trials[["trial", "best_epoch"]], on="trial")
    parts = []
    for until in (TO_END, TO_BEST):
        # A trial without a best epoch has no cost up to it.
        used = epochs if until == TO_END else epochs[(epochs["epoch"] <= epochs["best_epoch"]).fillna(False)]
        groups = used.groupby(["trial", "configuration"], sort=False)
        frame = groups[list(SUMMED_COSTS)].sum(min_count=1)
        frame = frame.where(groups[list(SUMMED_COSTS)].count().eq(groups.size(), axis=0), np.nan)
        parts.append(frame.reset_index().assign(until=until, epochs=groups["epoch"].max().to_numpy()))
    columns = ["trial", "configuration", "until", "epochs", *SUMMED_COSTS]
    return pd.concat(parts, ignore_index=True)[columns]
