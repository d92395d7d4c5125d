"""What `greenexp seeds` shows of each table; the JSON has everything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.seeds.splitting import BY

Layout = Callable[[pd.DataFrame], pd.DataFrame]
MOST_MEANS = 10
"""Configurations shown with what their means are worth."""


def heading(findings: Findings) -> str:
    """What the scores are, and which are better."""
    if findings.refusal:
        return ""
    subject = findings["subject"].iloc[0]
    return f"{subject['score']}, {'smaller' if subject['minimize'] else 'larger'} is better"


def layouts(by: str | None) -> dict[str, Layout]:
    """Table -> the columns and rows to show. by: what the groups are values of, None: there are no groups.

    With groups, plans and means are in the JSON alone: the question then is which group is better.
    """

    def grouped(layout: Layout) -> Layout:
        def shown(frame: pd.DataFrame) -> pd.DataFrame:
            table = layout(frame)
            return table.drop(columns=BY) if by is None else table.rename(columns={BY: by})

        return shown

    split = {"variance": grouped(_variance), "power": grouped(_power)}
    if by is None:
        return {**split, "means": grouped(_means), "plans": grouped(_plans)}
    methods: dict[str, Layout] = {"methods": lambda frame: _methods(frame).rename(columns={"group": by})}
    return {"pairs": _pairs, "tests": _tests, **methods, **split}


def _variance(frame: pd.DataFrame) -> pd.DataFrame:
    ends = {end: np.sqrt(frame[end]) for end in ("lower", "upper")}
    return frame.drop(columns=["estimate", "variance"]).assign(**ends)


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    best = frame.groupby(BY, sort=False).head(MOST_MEANS)
    return best.drop(columns="standard_deviation").rename(columns={"optimism_due_to_seeds": "optimism due to seeds"})


def _plans(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.drop(columns=["reliability", "standard_error"])
    return shown.rename(columns={"optimism": "optimism due to seeds"})


def _power(frame: pd.DataFrame) -> pd.DataFrame:
    """A column per number of seeds."""
    columns = frame.set_index([BY, "seeds"])["smallest_difference"].unstack(sort=False)  # noqa: PD010
    columns = columns[sorted(columns.columns)]
    shown = columns.rename(columns=lambda seeds: f"{seeds} seeds").reset_index()
    shown["test"] = frame.drop_duplicates(BY)["test"].to_numpy()
    return shown


def _methods(frame: pd.DataFrame) -> pd.DataFrame:
    """The median alone of the quartiles; an open end of its interval is a missing number."""
    median = frame[frame["quantile"] == 0.5].replace([-np.inf, np.inf], np.nan)
    return median.drop(columns="quantile").rename(columns={"score": "median"})


def _pairs(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns=["d", "epsilon_min", "epsilon_min_reverse"])


def _tests(frame: pd.DataFrame) -> pd.DataFrame:
    """The corrected p-values, a column per test."""
    wide = frame.set_index(["a", "b", "test"])["p_holm"].unstack("test", sort=False)  # noqa: PD010
    return wide.reset_index()
