"""What `greenexp simulate` shows of each table; the JSON has everything."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

SEARCHES = {
    "scheduler": "scheduler",
    "trials": "units begun",
    "expected_best": "expected best",
    "error": "+-",
    "cost": "cost",
    "share_of_full": "share of full cost",
    "finished": "full runs",
    "equal_trials": "as good as full runs",
    "saved": "saved",
    "saved_low": "from",
    "saved_high": "to",
}


FRONTS = {
    "scheduler": "scheduler",
    "trials": "units begun",
    "expected_hypervolume": "expected hypervolume",
    "error": "+-",
    "share_of_all": "share of all units'",
    "cost": "cost",
    "share_of_full": "share of full cost",
    "finished": "full runs",
    "equal_trials": "as good as full runs",
    "saved": "saved",
}


def layouts() -> dict[str, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Table -> the columns to show."""
    return {
        "searches": _searches,
        "one_look": _one_look,
        "best_so_far": lambda frame: _over_cost(frame, "expected_best"),
        "fronts": lambda frame: frame[list(FRONTS)].rename(columns=FRONTS),
        "front": lambda frame: frame,
        "front_so_far": lambda frame: _over_cost(frame, "expected_hypervolume"),
    }


def _searches(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(SEARCHES)].rename(columns=SEARCHES)


def _one_look(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the largest number of units begun."""
    shown: pd.DataFrame = frame[frame["trials"] == frame["trials"].max()]
    names = {"trials": "units begun", "going_on": "going on", "expected_best": "expected best"}
    renamed: pd.DataFrame = shown.rename(columns={**names, "share_of_full": "share of full cost"})
    return renamed


def _over_cost(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row per cost, a column per scheduler; of the largest number of units begun."""
    lines = frame[frame["trials"] == frame["trials"].max()]
    wide = lines.pivot_table(index="budget", columns="scheduler", values=column, sort=False)
    names = list(dict.fromkeys(lines["scheduler"]))
    shown: pd.DataFrame = wide.reindex(columns=names).reset_index().rename(columns={"budget": "spent"})
    return shown
