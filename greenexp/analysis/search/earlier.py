"""The configurations of a recorded sweep, as another sweep's search is told of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import pandas as pd

from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.records.earlier import EarlierConfiguration, EarlierState
from greenexp.records.objectives import SCORE
from greenexp.records.tables import OBJECTIVES, PARAMS, SweepTables

STATES = ("complete", "stopped", "failed")


def earlier_configurations(tables: SweepTables, source: str, paths: Iterable[str]) -> list[EarlierConfiguration]:
    """The configurations that have ended, those with seeds stopped apart left out, in the order of their plan.

    paths: the fields that the other sweep searches; of one that was not searched here, the value of the sweep file
    """
    wanted = list(paths)
    fixed = tables.spec.model_dump(mode="json")
    table = configuration_table(tables).set_index("configuration", drop=False)
    order = [name for name in tables.trials["configuration"].unique() if table.loc[name, "state"] in STATES]
    groups = {str(name): rows for name, rows in tables.trials.groupby("configuration", sort=False)}
    found = []
    for name in order:
        row, trials = table.loc[name], groups[name]
        score = float(row["score_mean"])
        known = {path: _value(tables, path, row, fixed) for path in wanted}
        found.append(
            EarlierConfiguration(
                source=source,
                configuration=str(name),
                values={path: value for path, (there, value) in known.items() if there},
                state=cast(EarlierState, row["state"]),
                score=None if math.isnan(score) else score,
                epochs=int(trials["epochs"].min()),
                objectives=_objectives(tables, trials, score),
            )
        )
    return found


def _value(tables: SweepTables, path: str, row: pd.Series[Any], fixed: Any) -> tuple[bool, Any]:
    """Whether a configuration has the field, and its value."""
    if path not in tables.parameters:
        for part in path.split("."):
            if not isinstance(fixed, dict) or part not in fixed:
                return False, None
            fixed = fixed[part]
        return True, fixed
    cell = row[PARAMS + path]
    if isinstance(cell, str) or not pd.isna(cell):
        return True, cell.item() if hasattr(cell, "item") else cell
    known = tables.spec.space.get(path)  # a missing cell: null, or that there is no such field
    return known is not None and not known.when, None


def _objectives(tables: SweepTables, trials: pd.DataFrame, score: float) -> dict[str, float | None]:
    """Objective -> mean over seeds, of those on record."""
    found: dict[str, float | None] = {SCORE: None if math.isnan(score) else score}
    for name in tables.spec.objectives:
        if name != SCORE:
            values = trials[OBJECTIVES + name]
            found[name] = None if values.isna().any() else float(values.mean())
    return found
