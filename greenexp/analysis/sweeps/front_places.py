"""Where configurations stood at the rungs of a scheduler that compares several objectives."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.sweeps.scheduling import recorded_scheduler
from greenexp.records.tables import SweepTables

COLUMNS = ("unit", "rung", "seeds", "value", "front", "place", "action", "reason")


def front_places(tables: SweepTables) -> pd.DataFrame:
    """One row per unit and rung, in the order of the decisions: COLUMNS; empty where one objective was compared.

    unit: the configuration, or the trial where every trial is judged by itself; rung (epoch); value: its score there,
    the mean over `seeds` seeds; front, place: among those that had come to the rung, itself included, from 1
    action: go_on or stop; reason: in the scheduler's words, or why it was stopped without a place (NA then)
    """
    given = tables.decisions
    if not given["front"].notna().any():
        return pd.DataFrame(columns=list(COLUMNS))
    unit = "trial" if recorded_scheduler(tables).per_trial else "configuration"
    judged = given[given["rung"].notna() & (given["action"] != "pause")].sort_values("time_s", kind="stable")
    # The seeds of a configuration share a verdict; those of later seeds that joined or were given up have its reason.
    first = judged.drop_duplicates([unit, "rung"], keep="first").rename(columns={unit: "unit"})
    return first[list(COLUMNS)].reset_index(drop=True)
