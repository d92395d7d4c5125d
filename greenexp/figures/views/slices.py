"""The score against each searched field, a panel per field."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.over_seeds import FAILED, FULL, SO_FAR, STOPPED
from greenexp.analysis.views.searched import CATEGORY, LOG
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, INK, VERMILLION, chart
from greenexp.figures.views.channels import Titled, hover, look, number, records, titled

MOST_FIELDS = 12
_SIZE = (220, 170)
_COLUMNS = 2
_KINDS = {
    FULL: ("circle", BLUE), STOPPED: ("square", VERMILLION), SO_FAR: ("triangle-right", GREEN),
    FAILED: ("cross", INK),
}  # fmt: skip


def slice_figures(findings: Findings) -> tuple[Figure, ...]:
    """The figure of `analysis.views.slices.score_slices`, the first `MOST_FIELDS` fields; none where it refused."""
    if findings.refusal or findings["points"].empty:
        return ()
    axes = findings["axes"].head(MOST_FIELDS).to_dict("records")
    points = findings["points"][findings["points"]["field"].isin([axis["field"] for axis in axes])]
    score = titled(findings, "score")
    kinds = [kind for kind in _KINDS if (points["kind"] == kind).any()]
    whole = chart([], [])
    panels = [_panel(points[points["field"] == axis["field"]], axis, score, kinds) for axis in axes]
    spec = {"$schema": whole["$schema"], "config": whole["config"], "concat": panels, "columns": _COLUMNS}
    title = f"{score.title} against each searched field"
    return (Figure("slices", title, _alt(points, axes, score), spec, points),)


def _panel(own: pd.DataFrame, axis: dict[Any, Any], score: Titled, kinds: list[str]) -> dict[str, Any]:
    x: dict[str, Any]
    if axis["kind"] == CATEGORY:
        x = {"field": "value", "type": "nominal", "title": axis["label"], "sort": axis["categories"],
             "scale": {"domain": axis["categories"]}, "axis": {"labelAngle": 0, "labelLimit": 90}}  # fmt: skip
    else:
        scale = {"domain": [axis["low"], axis["high"]], "nice": False}
        log = {"type": "log"} if axis["kind"] == LOG else {"zero": False}
        x = {"field": "number", "type": "quantitative", "title": axis["label"], "scale": {**scale, **log},
             "axis": {"tickCount": 4, "format": "~g"}}  # fmt: skip
    y = {"field": "score", "type": "quantitative", "title": score.title if len(score.title) < 26 else "Score",
         "scale": {"zero": False}, "axis": {"tickCount": 5}}  # fmt: skip
    looks = {
        "shape": look("kind", kinds, [_KINDS[kind][0] for kind in kinds], "Trial"),
        "color": look("kind", kinds, [_KINDS[kind][1] for kind in kinds], "Trial"),
    }
    tooltip = hover(
        ("trial", "Trial"), ("value", str(axis["field"])), ("score", score.title), ("kind", "How it ended"),
        ("epochs", "Epochs trained"), ("settings", "Settings"), formats={"score": ".4f"},
    )  # fmt: skip
    mark = {"type": "point", "filled": True, "size": 45, "opacity": 0.7}
    return {"width": _SIZE[0], "height": _SIZE[1], "data": {"values": records(own)}, "mark": mark,
            "encoding": {"x": x, "y": y, "tooltip": tooltip, **looks}}  # fmt: skip


def _alt(points: pd.DataFrame, axes: list[dict[Any, Any]], score: Titled) -> str:
    """Of every field, where the best score lies."""
    counted = points[points["kind"] != FAILED]
    parts = []
    for axis in axes:
        own = counted[counted["field"] == axis["field"]]
        if len(own):
            best = own.sort_values("score", ascending=score.better == "less", kind="stable").iloc[0]
            parts.append(f"{axis['label']}, best {number(best['score'])} at {best['value']}")
    return f"Points of {score.title}, one per trial, a panel for each of {len(axes)} fields: {'; '.join(parts)}."
