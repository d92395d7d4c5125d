"""A trial's operating points over thresholds, replayed from its stored dev logits, and their place in the tables.

Only a trial that is not in training has them: its best epoch then stands, so that whoever reads the journal and whoever
reads MLflow find the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from greenexp.errors import InputError, StateError
from greenexp.records.epoch import EpochRecord
from greenexp.records.logits import read_logits
from greenexp.records.replay import operating_points

FAMILY = "max_probability"
METRIC = "accuracy"
"""What is replayed, and the metric that can be: others follow from other counts."""
FOLDER = "logits"
"""Of a sweep's folder, where workers store dev logits."""
AT_REST = frozenset({"finished", "stopped", "failed", "interrupted"})


def logits_at_rest(status: str, records: Mapping[int, EpochRecord]) -> str | None:
    """Hash of the dev logits of a trial's best epoch, or None: it may train on, or stored none.

    records: epoch -> its latest record.
    """
    if status not in AT_REST or not records:
        return None
    best = records[max(records)].best_score
    return next((records[epoch].dev_logits for epoch in sorted(records) if records[epoch].score == best), None)


def read_staircase(folder: Path, logits: str | None, metric: str) -> pd.DataFrame | None:
    """Every operating point of `FAMILY` for the dev logits stored under a hash in a sweep's folder.

    policy, threshold, score, inference_flops, mean_layers, speed_up; ascending in the threshold. None where there is
    nothing to replay: no logits, absent, damaged or without costs, regression, or another metric than accuracy.
    """
    if logits is None or metric != METRIC:
        return None
    try:
        stored = read_logits(folder / FOLDER, logits)
        if stored.costs is None:
            return None
        return operating_points(stored.record, FAMILY, stored.costs).rename(columns={METRIC: "score"})
    except (StateError, InputError):
        return None


def with_staircases(static: pd.DataFrame, staircases: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The table of operating points: each trial's static points, followed by its staircase where it has one.

    static: table `operating_points` with the static ones; staircases: trial -> as `read_staircase` gives them.
    """
    parts = []
    for trial, rows in static.groupby("trial", sort=False):
        parts.append(rows)
        if (steps := staircases.get(str(trial))) is not None:
            first = rows.iloc[0]
            parts.append(steps.assign(trial=trial, configuration=first["configuration"], epoch=first["epoch"]))
    if not staircases or not parts:
        return static
    return pd.concat([part[static.columns] for part in parts], ignore_index=True).astype(static.dtypes.to_dict())


def static_only(trials: Iterable[tuple[str, str]], with_points: set[str], have: set[str], metric: str) -> str:
    """Why trials have static points alone, in words; empty if none has.

    trials: (name, status); with_points: those with any operating point; have: those with a staircase.
    """
    lacking = [status for name, status in trials if name in with_points - have]
    if not lacking:
        return ""
    if metric != METRIC:
        return f"thresholds are replayed for {METRIC} alone, and the metric is {metric}"
    training = sum(status not in AT_REST for status in lacking)
    causes = [
        (training, "still in training or paused"),
        (len(lacking) - training, "without dev logits and their costs at hand, or not a classification"),
    ]
    told = " and ".join(f"{count} {cause}" for count, cause in causes if count)
    return f"{len(lacking)} of {len(with_points)} trials have static points alone: {told}"
