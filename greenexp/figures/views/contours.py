"""The score over two searched fields: points, and the surface between them where there is one."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.parallel import BOUND, COMPLETE, NO_MEAN
from greenexp.analysis.views.searched import CATEGORY, LOG
from greenexp.figures.figure import Figure
from greenexp.figures.style import INK, ORDERED, chart
from greenexp.figures.views.channels import Titled, hover, look, number, records, spread, titled

_SHAPES = {COMPLETE: "circle", BOUND: "square", NO_MEAN: "triangle-up"}
_SIZE = (420, 320)


def contour_figures(findings: Findings) -> tuple[Figure, ...]:
    """The figure of `analysis.views.contours.score_contour`; none where it refused."""
    if findings.refusal:
        return ()
    points, surface = findings["points"], findings["surface"]
    score = titled(findings, "score")
    axes = {str(row["channel"]): row for row in findings["axes"].to_dict("records")}
    known = [*points["score"].tolist(), *surface["score"].tolist()]
    color = {
        "field": "score", "type": "quantitative", "title": score.title,
        "scale": {"scheme": ORDERED, "domain": [min(known), max(known)], "reverse": score.better == "less"},
        "legend": {"values": spread(known, log=False), "format": ".3f", "titleLimit": 320, "gradientLength": 260},
    }  # fmt: skip
    layers = [*_cells(surface, axes, score, color), _marks(points, axes, score, color)]
    spec = chart([], layers, width=_SIZE[0], height=_SIZE[1])
    title = f"{score.title} over {axes['x']['label']} and {axes['y']['label']}"
    return (Figure("contour", title, _alt(points, surface, axes, score), spec, points),)


def _channel(axis: dict[Any, Any], field: str) -> dict[str, Any]:
    if axis["kind"] == CATEGORY:
        return {"field": f"{axis['channel']}_value", "type": "nominal", "title": axis["field"],
                "scale": {"domain": axis["categories"]}, "axis": {"labelAngle": 0}}  # fmt: skip
    kind = {"type": "log"} if axis["kind"] == LOG else {"zero": False}
    scale = {"domain": [axis["low"], axis["high"]], "nice": False, **kind}
    return {"field": field, "type": "quantitative", "title": axis["field"], "scale": scale,
            "axis": {"tickCount": 5, "format": "~g", "grid": False}}  # fmt: skip


def _cells(
    surface: pd.DataFrame, axes: dict[str, dict[Any, Any]], score: Titled, color: dict[str, Any]
) -> list[dict[str, Any]]:
    if surface.empty:
        return []
    x, y = _channel(axes["x"], "x_low"), _channel(axes["y"], "y_low")
    tooltip = hover(("score", f"{score.title}, interpolated"), formats={"score": ".4f"})
    encoding = {"x": x, "x2": {"field": "x_high"}, "y": y, "y2": {"field": "y_high"}, "color": color,
                "tooltip": tooltip}  # fmt: skip
    mark = {"type": "rect", "strokeWidth": 0, "opacity": 0.55}
    return [{"data": {"values": records(surface)}, "mark": mark, "encoding": encoding}]


def _marks(
    points: pd.DataFrame, axes: dict[str, dict[Any, Any]], score: Titled, color: dict[str, Any]
) -> dict[str, Any]:
    kinds = [kind for kind in _SHAPES if (points["status"] == kind).any()]
    tooltip = hover(
        ("configuration", "Configuration"), ("settings", "Settings"), ("score", score.title), ("status", "Score is"),
        ("seeds", "Seeds"), ("place", "Place"), formats={"score": ".4f"},
    )  # fmt: skip
    shape = look("status", kinds, [_SHAPES[kind] for kind in kinds], "Score")
    mark = {"type": "point", "filled": True, "size": 90, "stroke": INK, "strokeWidth": 1, "opacity": 1}
    fill = {**color}
    encoding = {"x": _channel(axes["x"], "x"), "y": _channel(axes["y"], "y"), "color": fill, "shape": shape,
                "tooltip": tooltip}  # fmt: skip
    return {"data": {"values": records(points)}, "mark": mark, "encoding": encoding}


def _alt(points: pd.DataFrame, surface: pd.DataFrame, axes: dict[str, dict[Any, Any]], score: Titled) -> str:
    best = points.sort_values("place").iloc[0]
    over = f"{axes['x']['label']} and {axes['y']['label']}"
    between = "with a surface interpolated between them" if len(surface) else "without a surface"
    return (
        f"Points of {score.title} of {len(points)} configurations over {over}, {between}; the best, "
        f"{best['configuration']} with {number(best['score'])}, lies at {best['x_value']} and {best['y_value']}."
    )
