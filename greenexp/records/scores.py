"""Scores by group, configuration and trial, wherever they were recorded: a file, a data frame, MLflow runs, a sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.errors import StateError

GROUP, CONFIGURATION, TRIAL, SCORE, COST, TEST = "group", "configuration", "trial", "score", "cost", "test"
COLUMNS: Mapping[str, str] = {
    GROUP: "str",
    CONFIGURATION: "str",
    TRIAL: "str",
    SCORE: "float64",
    COST: "float64",
    TEST: "float64",
}
"""Columns that every table of scores has, and their types; NaN is what is not there."""
ALL = "all"
"""The group of every row where nothing tells groups apart."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What scores measure, so that scores of two sources can be compared; an empty text is what is not known.

    source: what the scores were read from, for messages; task: name of the task; data: fingerprint of its data;
    metric: name of the metric; exit: which exit it is of
    """

    source: str = ""
    task: str = ""
    data: str = ""
    metric: str = ""
    exit: str = ""


@dataclass(frozen=True, eq=False)
class Scores:
    """A row per trial (or, of a front, per point of a trial), in the order in which they were recorded.

    frame: COLUMNS, then `seeds` and `labels`. A trial that failed has a cost and no score: its score is NaN
    score: what the scores are, for headings; cost, by, test: what the costs, the groups and the test scores are, None
        if not asked for
    minimize: a smaller score is better
    seeds: columns of the seeds; shared_seeds: equal seeds of two configurations are the same seed
    labels: columns that say what a point is; trials: what a trial is ("" if every row was taken for one)
    bound: "" if these are full scores, else what they are of those: `lower bound` or `upper bound`
    not_random: why the trials are no independent draws of a search that ran to its end; "" if they may be
    nested: trials of a group are seeds of several configurations, so they depend on one another
    measured: what the scores measure, a row per source
    notes: what must be known of them, one sentence each; warnings: what makes them unfit for use
    """

    frame: pd.DataFrame
    score: str
    cost: str | None = None
    by: str | None = None
    test: str | None = None
    minimize: bool = False
    seeds: tuple[str, ...] = ()
    shared_seeds: bool = False
    labels: tuple[str, ...] = ()
    trials: str = ""
    bound: str = ""
    not_random: str = ""
    nested: bool = False
    measured: tuple[Measured, ...] = ()
    notes: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        missing = [name for name in (*COLUMNS, *self.seeds, *self.labels) if name not in self.frame]
        if missing:
            raise StateError(f"the table of scores lacks the column(s) {', '.join(missing)}")

    @property
    def groups(self) -> dict[str, ScoreGroup]:
        """Group -> its rows as arrays, in the order met."""
        return {str(name): ScoreGroup(rows) for name, rows in self.frame.groupby(GROUP, sort=False)}

    @property
    def subject(self) -> pd.DataFrame:
        """One row that says what these scores are: score, cost, by, minimize; for headings and for programs."""
        return pd.DataFrame([{"score": self.score, "cost": self.cost, "by": self.by, "minimize": self.minimize}])

    @property
    def directions(self) -> tuple[str, str]:
        """Of cost and score, as `analysis.fronts` takes them."""
        return "min", "min" if self.minimize else "max"


@dataclass(frozen=True, eq=False)
class ScoreGroup:
    """The rows of one group."""

    frame: pd.DataFrame

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """[rows], NaN of a trial without a score."""
        return self.frame[SCORE].to_numpy(dtype=np.float64)

    @property
    def costs(self) -> npt.NDArray[np.float64]:
        """[rows], NaN where there is none."""
        return self.frame[COST].to_numpy(dtype=np.float64)

    @property
    def tests(self) -> npt.NDArray[np.float64]:
        """[rows], test scores, NaN where there is none."""
        return self.frame[TEST].to_numpy(dtype=np.float64)

    @property
    def scored(self) -> npt.NDArray[np.float64]:
        """The scores there are."""
        scores = self.scores
        return scores[~np.isnan(scores)]

    @property
    def failed(self) -> int:
        """Trials without a score."""
        return int(np.isnan(self.scores).sum())


def score_frame(columns: Mapping[str, object], rows: int) -> pd.DataFrame:
    """A frame with COLUMNS, then whatever else is in `columns`, `rows` rows long.

    What is not given: one group for all, a configuration and a trial per row, no numbers.
    """
    numbered = [str(number) for number in range(1, rows + 1)]
    defaults: dict[str, object] = {GROUP: ALL, CONFIGURATION: numbered, TRIAL: numbered}
    defaults |= dict.fromkeys((SCORE, COST, TEST), np.nan)
    frame = pd.DataFrame({**defaults, **columns}, index=range(rows))
    return frame.astype(dict(COLUMNS))
