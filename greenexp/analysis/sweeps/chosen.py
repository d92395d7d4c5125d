"""Whose exits are looked at closely: the seeds of the configuration that the sweep chose on dev."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.tables import SweepTables


@dataclass(frozen=True, slots=True)
class ChosenTrials:
    """configuration: the chosen one, or "" if none has a score from all its seeds; trials: its seeds, best first.

    Without a configuration, trials holds the best single trial that did not fail, or nothing.
    """

    configuration: str
    trials: tuple[str, ...]

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Those rows of a table with a column `trial` that belong to these trials, in its order."""
        return table[table["trial"].isin(self.trials)].reset_index(drop=True)

    def best_of(self, table: pd.DataFrame) -> str:
        """The best of these trials that occurs in a table with a column `trial`; "" if none does."""
        present = set(table["trial"])
        return next((trial for trial in self.trials if trial in present), "")


def chosen_trials(tables: SweepTables) -> ChosenTrials:
    """The seeds of the configuration with the best mean, as `records.selection` chooses it."""
    trials = tables.trials[tables.trials["status"] != "failed"].dropna(subset=["score"])
    trials = trials.sort_values("score", ascending=metric_of(tables).minimize, kind="stable")
    ranked = configuration_table(tables).dropna(subset=["score_mean"])
    if ranked.empty:
        return ChosenTrials("", tuple(str(name) for name in trials["trial"].head(1)))
    configuration = str(ranked["configuration"].iloc[0])
    return ChosenTrials(configuration, tuple(trials.loc[trials["configuration"] == configuration, "trial"]))
