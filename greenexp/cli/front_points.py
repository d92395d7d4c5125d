"""Points of a score against a cost, by group and trial: what `greenexp front` is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
OWN_ROW = "each row"


@dataclass(frozen=True, eq=False)
class PointTable:
    """frame: a row per point: by, trial, seed, cost, score, and `labels`, which say what the point is.

    A row without a score or a cost is no point, but its trial counts. score, cost, by: what they are, for headings (by:
    None if not asked for); minimize: a smaller score is better
    trials: what a trial is, or OWN_ROW if nobody said, so that rows are only taken for trials
    nested: trials of a group are seeds of several configurations, so not independent of one another
    no_search: why the trials are no random search that ran to its end, or ""
    notes: what must be known of the points, one sentence each
    """

    frame: pd.DataFrame
    score: str
    cost: str
    by: str | None
    minimize: bool
    labels: tuple[str, ...]
    trials: str
    nested: bool = False
    no_search: str = ""
    notes: tuple[str, ...] = ()

    @property
    def directions(self) -> tuple[str, str]:
        """Of cost and score, for `analysis.pareto_front` and its kin."""
        return "min", "min" if self.minimize else "max"

    @property
    def groups(self) -> dict[str, pd.DataFrame]:
        """The rows of each group, in the order met."""
        return {str(name): rows for name, rows in self.frame.groupby("by", sort=False)}

    def complete(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that are points."""
        return rows.dropna(subset=["cost", "score"])


def values_of(rows: pd.DataFrame) -> Floats:
    """[R, 2]: cost, score."""
    return rows[["cost", "score"]].to_numpy(dtype=np.float64)
