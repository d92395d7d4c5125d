"""What a caller names in text: a trial, or one of a few words; another name is refused with the nearest one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from greenexp.errors import InputError, did_you_mean
from greenexp.records.tables import SweepTables


def trial_named(tables: SweepTables, trial: str) -> pd.Series[Any]:
    """The row of a trial in the table `trials`; InputError if there is none of that name."""
    rows = tables.trials[tables.trials["trial"] == trial]
    if rows.empty:
        names = [str(name) for name in tables.trials["trial"]]
        raise InputError(f"there is no trial '{trial}' in sweep {tables.spec.name}{did_you_mean(trial, names)}")
    return rows.iloc[0]


def check_one_of(what: str, name: str, known: Iterable[str]) -> None:
    """InputError if `name`, given as `what`, is not among those known."""
    names = list(known)
    if name not in names:
        raise InputError(f"{what}: unknown '{name}'{did_you_mean(name, names)} (known: {', '.join(names)})")
