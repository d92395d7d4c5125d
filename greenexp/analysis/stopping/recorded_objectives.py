"""The costs among several objectives after each report of a recorded sweep, as its scheduler would have been told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pandas as pd

from greenexp.errors import did_you_mean
from greenexp.records.epoch import ExitScore
from greenexp.records.objectives import SCORE, Objective, inference_flops_of
from greenexp.records.sections import Metric
from greenexp.records.tables import DEV, SweepTables

COSTS: tuple[str, ...] = tuple(name for name in get_args(Objective) if name != SCORE)


def objectives_at_reports(tables: SweepTables, names: Sequence[str], epochs: pd.DataFrame) -> pd.DataFrame:
    """A column per name of `names`, a row per row of `epochs`: see `records.objectives.objective_of`.

    epochs: rows of `tables.epochs` that are not repeated, all of a trial up to its last, in the order of trials and
        epochs
    Raises ValueError for a name that is no such objective, and for a report of which one is not known, with its place.
    """
    for name in names:
        if name not in COSTS:
            raise ValueError(f"objectives: '{name}' is none{did_you_mean(name, COSTS)} (known: {', '.join(COSTS)})")
    whole = epochs["dev_examples"].isna()  # of a report on a part of dev there is no curve's point
    columns = {}
    for name in names:
        if name == "inference_flops":
            column = _inference_flops(tables, epochs[whole]).reindex(epochs.index)
        elif name == "parameters":
            known = tables.trials.set_index("trial")["parameters"].astype("float64")
            column = epochs["trial"].map(known)
        else:  # a NaN in a report stays one in all sums after it
            column = epochs.groupby("trial", sort=False)[name].transform(lambda costs: costs.cumsum(skipna=False))
        lacking = epochs[whole & ~np.isfinite(column)]
        if len(lacking):
            first = lacking.iloc[0]
            raise ValueError(
                f"objectives: {name} is not on record of {len(lacking)} of {int(whole.sum())} reports "
                f"({first['trial']}, epoch {first['epoch']:g})"
            )
        columns[name] = column.astype("float64")
    return pd.DataFrame(columns, index=epochs.index)


def _inference_flops(tables: SweepTables, epochs: pd.DataFrame) -> pd.Series:
    """FLOPs of the exits that the score is of, at the first epoch with the best score so far."""
    metric = tables.spec.metric
    keys = ["trial", "attempt", "epoch"]
    at_epoch = {key: _flops_of(rows, metric) for key, rows in tables.exits.groupby(keys, sort=False)}
    flops = pd.Series([at_epoch.get(key, np.nan) for key in epochs[keys].itertuples(index=False, name=None)],
                      index=epochs.index, dtype="float64")  # fmt: skip
    rises = ~epochs.duplicated(["trial", "best_score"])  # a best score stands first where it was reached
    return flops.where(rises).groupby(epochs["trial"], sort=False).ffill()


def _flops_of(rows: pd.DataFrame, metric: Metric) -> float:
    ordered = rows.sort_values("exit")
    values = ordered.get(DEV + metric.name, pd.Series(np.nan, index=ordered.index))
    scores = [
        ExitScore(exit_, layer, {metric.name: None if np.isnan(value) else value}, flops)
        for exit_, layer, flops, value in zip(
            ordered["exit"], ordered["layer"], ordered["inference_flops"], values, strict=True
        )
    ]
    found = inference_flops_of(scores, metric)
    return np.nan if found is None else found
