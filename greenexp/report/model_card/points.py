"""The operating points that a card shows: exit policies at thresholds that were chosen on dev."""

from __future__ import annotations

import pandas as pd

from greenexp.analysis.exits.policies import is_bound
from greenexp.analysis.fronts.operating_points import evenly
from greenexp.analysis.fronts.pareto import pareto_front
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.policies import STATIC
from greenexp.records.tables import SweepTables

COLUMNS = ("policy", "threshold", "dev_score", "dev_speed_up", "test_score", "test_speed_up", "inference_flops")
MOST = 8
"""Points of a trial without test logits: some of its front on dev."""


def card_points(tables: SweepTables, trial: str) -> pd.DataFrame:
    """A row per operating point of the trial, COLUMNS; NaN on test where it was not evaluated there.

    Each policy's best threshold on dev for each speed-up that was asked for, once; inference_flops: per example of
    test, or of dev where there is no test score. Single exits and policies that need labels are left out.
    """
    chosen = tables.thresholds_on_test
    chosen = chosen[(chosen["trial"] == trial) & (chosen["policy"] != STATIC) & ~is_bound(chosen["policy"])]
    if len(chosen):
        chosen = chosen.drop_duplicates(["policy", "threshold"])
        return chosen.rename(columns={"test_inference_flops": "inference_flops"})[list(COLUMNS)].reset_index(drop=True)
    points = tables.operating_points
    own = points[(points["trial"] == trial) & (points["policy"] != STATIC) & ~is_bound(points["policy"])]
    own = own.dropna(subset=["score", "inference_flops"]).sort_values("inference_flops", kind="stable")
    on_front = pareto_front(own[["inference_flops", "score"]].to_numpy(), ("min", metric_of(tables).mode))
    shown = evenly(own[on_front], MOST).rename(columns={"score": "dev_score", "speed_up": "dev_speed_up"})
    return shown.reindex(columns=list(COLUMNS)).reset_index(drop=True)
