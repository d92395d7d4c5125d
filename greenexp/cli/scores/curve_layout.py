"""What `greenexp curve` shows of each table; the JSON has everything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Layout = Callable[[pd.DataFrame], pd.DataFrame]
CURVE = {
    "by": "by",
    "n": "n",
    "budget": "budget",
    "scores": "trials",
    "trials": "trials",
    "estimate": "estimate",
    "standard_error": "standard error",
    "lower": "band from",
    "upper": "to",
    "nothing_finished": "P(no score yet)",
    "simulation_error": "simulation error",
    "test_of_winner": "test of the winner",
    "best_so_far": "best so far",
    "bootstrap_lower": "bootstrap from",
    "bootstrap_upper": "to ",
}
"""Columns that are shown, in their order, and their headings."""
MEDIAN = {"by": "by", "n": "n", "median": "median best", "lower": "band from", "upper": "to"}
EXTRAPOLATED = {
    "by": "by",
    "n": "n",
    "best": "best by the model",
    "back_test_error": "error in its back-test",
    "error_without": "error of the best seen",
}


def layouts(by: str | None, estimator: str | float) -> dict[str, Layout]:
    """Table -> the columns to show. by: what the groups are values of, None if there are none."""
    names = {"unbiased": "expected best", "biased": "expected best (biased)", "median": "median best"}
    estimate = names.get(str(estimator), f"{estimator} quantile of the best")

    def shown(columns: dict[str, str]) -> Layout:
        def layout(frame: pd.DataFrame) -> pd.DataFrame:
            table = frame[[name for name in columns if name in frame and not _empty(frame, name)]]
            table = table.drop(columns=[] if by else "by").replace([-np.inf, np.inf], np.nan)
            return table.rename(columns={**columns, "by": by, "estimate": estimate})

        return layout

    return {"curve": shown(CURVE), "median": shown(MEDIAN), "extrapolated": shown(EXTRAPOLATED)}


def _empty(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column says nothing: an error that is not known, or 0 everywhere."""
    if name == "simulation_error":
        return bool((frame[name].fillna(0) == 0).all())
    return name == "standard_error" and bool(frame[name].isna().all())
