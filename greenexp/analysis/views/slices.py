"""The score against one searched field at a time: every trial a point, whatever the other fields were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.sweeps.metric import metric_of
from greenexp.analysis.views.columns import COLUMNS, described, of_score
from greenexp.analysis.views.over_seeds import FAILED, FULL, SO_FAR, STOPPED
from greenexp.analysis.views.searched import (
    CATEGORY,
    axes_table,
    field_axes,
    field_named,
    field_values,
    settings_texts,
    ticks_table,
    value_text,
)
from greenexp.analysis.views.wording import counted, with_article
from greenexp.records.tables import SweepTables

POINTS = (
    "field", "trial", "configuration", "settings", "value", "number", "position", "score", "kind", "epochs", "reason",
)  # fmt: skip
_KINDS = {"finished": FULL, "stopped": STOPPED, "failed": FAILED}


def score_slices(tables: SweepTables, fields: Sequence[str] | None = None) -> Findings:
    """Tables `points` (POINTS, a row per field and trial that has a score and the field), `axes` and `ticks`.

    fields: searched fields, with or without their prefix; None: all. InputError for another name
    kind: finished, stopped early (the score is a bound), failed (it does not count), not ended; value: in words;
    number: NaN of categories; axes, ticks: as of `analysis.views.parallel`
    """
    names = tables.parameters if fields is None else [field_named(tables, name) for name in fields]
    if not names:
        return Findings(refusal="no field was searched")
    scored = tables.trials[tables.trials["score"].notna()]
    if scored.empty:
        return Findings(refusal="no trial has a score yet")
    values = field_values(tables)
    axes = [axis for axis in field_axes(tables, values) if axis.field in names]
    settings, rows = settings_texts(tables), []
    for axis in axes:
        for row in scored.to_dict("records"):
            own = values[row["configuration"]]
            if axis.field in own:
                known = {name: row[name] for name in ("trial", "configuration", "score", "epochs", "reason")}
                rows.append(
                    {
                        **known,
                        "settings": settings[row["configuration"]],
                        "kind": _KINDS.get(row["status"], SO_FAR),
                        **_place(axis.field, own[axis.field], axis.kind),
                        "position": axis.position(own[axis.field]),
                    }
                )
    metric = metric_of(tables)
    points = pd.DataFrame(rows, columns=list(POINTS))
    return Findings(
        verdict=(f"{counted(len(scored), 'trial')} with a score over {counted(len(axes), 'searched field')}.",),
        tables={
            "points": points, "axes": axes_table(axes), "ticks": ticks_table(axes),
            COLUMNS: described(of_score(metric)),
        },
        titles={
            "points": f"{metric.label} of every trial against each searched field", "axes": "The axis of each field",
            "ticks": "Marks along the axes", COLUMNS: "Columns",
        },
        notes=(
            "Other fields differ between the points of a panel: what is seen may be due to them.",
            *([f"The score of a trial that was stopped early is {with_article(metric.bound)}."]
              if (points["kind"] == STOPPED).any() else []),
        ),
        warnings=tables.remarks.warnings,
    )  # fmt: skip


def _place(field: str, value: Any, kind: str) -> dict[str, Any]:
    return {"field": field, "value": value_text(value), "number": math.nan if kind == CATEGORY else float(value)}
