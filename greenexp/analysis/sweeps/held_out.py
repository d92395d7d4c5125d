"""Test scores of the configuration that was chosen on dev, beside its dev scores, and how often test was looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.sweeps.once import once_per_sweep
from greenexp.records.tables import DEV, TEST, SweepTables

EVALUATIONS = ("trial", "configuration", "evaluation", "epoch", "examples", "dev_score", "test_score")
EXITS = ("exit", "layer", "trials", "dev_mean", "test_mean", "test_std", "inference_flops")


@dataclass(frozen=True)
class HeldOut:
    """What is known of the test set.

    chosen: the configuration that is best on dev now ("" if there is none)
    configuration: the one reported: the chosen one if it was evaluated, else the one evaluated last
    uses: how often the test set was looked at: evaluations of a trial, the most of each configuration, added up
    evaluations: a row per evaluation of a trial, in order, EVALUATIONS; dev_score: of the epoch that was evaluated
    latest: those rows of `configuration` that are the last of their trial
    exits: a row per exit over `latest`, EXITS: means over trials in the metric's unit, std with n - 1
    """

    chosen: str
    configuration: str
    uses: int
    evaluations: pd.DataFrame
    latest: pd.DataFrame
    exits: pd.DataFrame


@once_per_sweep
def held_out(tables: SweepTables) -> HeldOut | None:
    """The test scores, or None if the test set was not evaluated."""
    rows = tables.held_out
    if rows.empty:
        return None
    shown = configuration_table(tables).dropna(subset=["score_mean"])
    chosen = str(shown["configuration"].iloc[0]) if len(shown) else ""
    evaluated = rows["configuration"]
    configuration = chosen if chosen in set(evaluated) else str(evaluated.iloc[-1])
    made = rows.drop_duplicates(["trial", "evaluation"]).rename(columns={"score": "test_score"})
    final = tables.epochs[~tables.epochs["repeated"]][["trial", "epoch", "score"]]
    made = made.merge(final.rename(columns={"score": "dev_score"}), on=["trial", "epoch"], how="left")
    latest = made[made["configuration"] == configuration].drop_duplicates("trial", keep="last")
    return HeldOut(
        chosen=chosen,
        configuration=configuration,
        uses=int(made.groupby("configuration")["evaluation"].max().sum()),
        evaluations=made[list(EVALUATIONS)].reset_index(drop=True),
        latest=latest[list(EVALUATIONS)].reset_index(drop=True),
        exits=_exits(tables, rows.merge(latest[["trial", "evaluation"]], on=["trial", "evaluation"])),
    )


def _exits(tables: SweepTables, rows: pd.DataFrame) -> pd.DataFrame:
    """Means over the trials of `rows`, exit by exit; a metric that no exit reports is NaN."""
    name = metric_of(tables).name
    dev = tables.exits.sort_values("attempt", kind="stable").drop_duplicates(["trial", "epoch", "exit"], keep="last")
    dev = dev.reindex(columns=["trial", "epoch", "exit", DEV + name]).rename(columns={DEV + name: "dev"})
    scores = rows.assign(test=rows.get(TEST + name, np.nan))
    groups = scores.merge(dev, on=["trial", "epoch", "exit"], how="left").groupby("exit", sort=True)
    frame = groups.agg(
        layer=("layer", "first"),
        trials=("trial", "nunique"),
        dev_mean=("dev", "mean"),
        test_mean=("test", "mean"),
        test_std=("test", "std"),
        inference_flops=("inference_flops", "mean"),
    )
    return frame.reset_index()[list(EXITS)]
