"""Parallel coordinates: where each configuration lies on the axis of every searched field, and its score.

The axes are those of `analysis.views.searched`, in the order of the tables; the score is the last one, from the least
to the greatest. A field that a configuration does not have, as of its conditions, has no position there: its line has
a gap.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.configurations import configuration_table
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.views.columns import COLUMNS, ViewColumn, described, of_score
from greenexp.analysis.views.searched import (
    LINEAR,
    FieldAxis,
    axes_table,
    field_axes,
    field_values,
    settings_texts,
    ticks_table,
    value_text,
)
from greenexp.analysis.views.wording import counted, with_article
from greenexp.records.tables import SweepTables

SCORE_FIELD = "score"
"""What the last axis is called in the column `field`."""
POINTS = (
    "configuration", "settings", "place", "axis", "field", "value", "number", "position", "score", "status", "seeds",
)  # fmt: skip
COMPLETE, BOUND, NO_MEAN = "complete", "stopped early", "no mean"


def parallel_coordinates(tables: SweepTables) -> Findings:
    """Tables `points` (POINTS, a row per configuration and axis), `axes` and `ticks`.

    place: from 1, best first; axis: number of the axis, from 0; value: in words, number: NaN for one that is none;
    position: 0 to 1, NaN where the configuration does not have the field or the score; score: the mean over seeds, or,
    without one, the best score of its seeds (status `no mean`)
    axes: field, label, kind (linear, log, category), low, high, categories, axis; ticks: field, position, text
    """
    values = field_values(tables)
    if not tables.parameters:
        return Findings(refusal="no field was searched, so there is no axis")
    table = configuration_table(tables)
    scores = _scores(table)
    known = scores.dropna(subset=["score"])
    if known.empty:
        return Findings(refusal="no configuration has a score yet")
    metric = metric_of(tables)
    axes = [*field_axes(tables, values), _score_axis(known["score"], metric.label)]
    points = _points(tables, scores, values, axes)
    without = len(scores) - len(known)
    some = sorted({row for row in points.loc[points["position"].isna(), "field"] if row != SCORE_FIELD})
    notes = [
        *([f"{counted(without, 'configuration')} without a score: no line to the last axis."] if without else []),
        *([f"Some configurations do not have {', '.join(some)}: their lines have a gap there."] if some else []),
        *status_notes(known["status"], metric.bound),
    ]
    return Findings(
        verdict=(
            f"{counted(len(known), 'configuration')} with a score over {counted(len(axes) - 1, 'searched field')}.",
        ),
        tables={
            "points": points,
            "axes": axes_table(axes).assign(axis=range(len(axes))),
            "ticks": ticks_table(axes),
            COLUMNS: described(of_score(metric), ViewColumn("position", "Position on the axis")),
        },
        titles={
            "points": f"{metric.label} and searched fields of {len(known)} configurations",
            "axes": "The axis of each field",
            "ticks": "Marks along the axes",
            COLUMNS: "Columns",
        },
        notes=tuple(notes),
        warnings=tables.remarks.warnings,
    )


def _scores(table: pd.DataFrame) -> pd.DataFrame:
    """configuration, place, seeds, score and what the score is, in the order of `configuration_table`."""
    mean = table["score_mean"]
    status = np.where(mean.isna(), NO_MEAN, np.where(table["state"] == "complete", COMPLETE, BOUND))
    return pd.DataFrame(
        {
            "configuration": table["configuration"],
            "place": range(1, len(table) + 1),
            "seeds": table["seeds"],
            "score": mean.fillna(table["best_score"]),
            "status": status,
        }
    )


def _score_axis(scores: pd.Series[float], label: str) -> FieldAxis:
    return FieldAxis(SCORE_FIELD, label, LINEAR, float(scores.min()), float(scores.max()))


def _points(
    tables: SweepTables, scores: pd.DataFrame, values: dict[str, dict[str, Any]], axes: list[FieldAxis]
) -> pd.DataFrame:
    settings = settings_texts(tables)
    rows = []
    for row in scores.to_dict("records"):
        own = {**values[row["configuration"]], SCORE_FIELD: row["score"]}
        for number, axis in enumerate(axes):
            there = axis.field in own and not (axis.field == SCORE_FIELD and math.isnan(row["score"]))
            value = own.get(axis.field)
            rows.append(
                {
                    **row,
                    "settings": settings[row["configuration"]],
                    "axis": number,
                    "field": axis.field,
                    "value": value_text(value) if there else "",
                    "number": _number(value) if there else math.nan,
                    "position": axis.position(value) if there else math.nan,
                }
            )
    return pd.DataFrame(rows, columns=list(POINTS))


def _number(value: Any) -> float:
    """NaN for what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def status_notes(status: pd.Series[str], bound: str) -> list[str]:
    """What must be known of scores that are no means after full training; bound: what one is that was cut short."""
    counts = status.value_counts()
    notes = []
    if BOUND in counts:
        notes.append(
            f"{counted(counts[BOUND], 'mean')} of configurations that were stopped early: {with_article(bound)} each."
        )
    if NO_MEAN in counts:
        notes.append(
            f"{counted(counts[NO_MEAN], 'configuration')} without a mean over seeds: the score drawn is that of the "
            "best seed so far, which is no estimate of a mean."
        )
    return notes
