"""Whose exits are looked at closely: the seeds of the configuration that the sweep chose on dev."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.selection import best_first, chosen_configuration, outcomes_of
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
    outcomes, mode = outcomes_of(tables.trials), metric_of(tables).mode
    configuration, ranked = chosen_configuration(outcomes, mode), best_first(outcomes, mode)
    if configuration is None:
        return ChosenTrials("", tuple(outcome.trial for outcome in ranked[:1]))
    return ChosenTrials(configuration, tuple(o.trial for o in ranked if o.configuration == configuration))
