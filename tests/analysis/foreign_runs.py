"""Made-up runs of other programs, as `tracking.foreign.read_runs` gives them."""

from __future__ import annotations

import math

import pandas as pd

from greenexp.analysis.comparing.study import comparison_study
from greenexp.sources.request import ScoreRequest, View
from greenexp.sources.runs import scores_of_runs
from greenexp.tracking.foreign import COLUMNS

NAN = math.nan


def run(number, score=NAN, *, group=None, status="FINISHED", cost=NAN, parent="", logged=None, own=False):
    """One row; `number` is also the order of beginning."""
    began, duration = 1e9 + number, NAN if status == "RUNNING" else 60.0
    has = not math.isnan(score) if logged is None else logged
    return (f"r{number}", f"run {number}", "search", status, parent, began, duration, has, score, cost, group, own)


def runs(*rows):
    return pd.DataFrame(rows, columns=list(COLUMNS))


def two_groups():
    """Group a: 3 runs that count, 1 failed. Group b: 2 that count, 1 running, 1 killed, 1 NaN."""
    return runs(
        run(1, 0.5, group="a", cost=10.0),
        run(2, 0.7, group="b", cost=1.0),
        run(3, 0.9, group="a", cost=20.0, status="FAILED"),
        run(4, 0.6, group="a", cost=30.0),
        run(5, 0.9, group="b", cost=2.0, status="RUNNING"),
        run(6, 0.8, group="a", cost=40.0),
        run(7, 0.6, group="b", cost=4.0),
        run(8, 0.9, group="b", cost=8.0, status="KILLED"),
        run(9, NAN, group="b", cost=16.0, logged=True),
    )


def pairs_of(comparison):
    """What the study of groups finds about compared runs, as `greenexp report --score` asks it."""
    request = ScoreRequest(score="metrics.acc", by="params.model", minimize=comparison.minimize)
    return comparison_study(scores_of_runs(comparison, request, View.CONFIGURATIONS))
