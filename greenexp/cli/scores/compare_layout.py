"""What `greenexp compare` shows of each table; the JSON has everything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Layout = Callable[[pd.DataFrame], pd.DataFrame]


def layouts(*, every: bool) -> dict[str, Layout]:
    """Table -> the rows and columns to show.

    every: budgets were named, so all rows of pairs are shown; else, of several pairs, one row each, at the budget with
    the smallest p-value, or, over a cost, in the middle of the budgets.
    """

    def pairs(frame: pd.DataFrame) -> pd.DataFrame:
        at = "n" if "p_holm" in frame else "cost"
        if not every and len(frame.drop_duplicates(["a", "b"])) > 1:
            frame = pd.concat([_one_row(rows) for _, rows in frame.groupby(["a", "b"], sort=False)])
            at = "n of least p" if "p_holm" in frame else at
        bands = [str(name).removeprefix("lower_") for name in frame if str(name).startswith("lower_")][-1:]
        columns = {"a": "a", "b": "b", "budget": at, "curve_a": "a's", "curve_b": "b's", "difference": "a - b"}
        for band in bands:
            columns |= {f"lower_{band}": f"{band} % from", f"upper_{band}": "to"}
        columns |= {"probability_better": "P(a better)", "p_holm": "p (Holm)"}
        shown = frame[[name for name in columns if name in frame]].replace([-np.inf, np.inf], np.nan)
        return shown.rename(columns=columns)

    return {"pairs": pairs, "crossings": _crossings, "target": _target}


def _one_row(rows: pd.DataFrame) -> pd.DataFrame:
    """The row of a pair that says most."""
    place = int(rows["p_holm"].to_numpy().argmin()) if "p_holm" in rows else len(rows) // 2
    return rows.iloc[[place]]


def _crossings(frame: pd.DataFrame) -> pd.DataFrame:
    names = {"before": "between", "after": "and", "better_before": "better before", "better_after": "better after"}
    return frame.rename(columns=names)


def _target(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the bounds that apply to no group."""
    return frame.dropna(axis="columns", how="all")
