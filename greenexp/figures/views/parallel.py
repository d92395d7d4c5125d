"""Parallel coordinates: an axis for each searched field and the score, a line per configuration."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.views.parallel import BOUND, COMPLETE, NO_MEAN, SCORE_FIELD
from greenexp.figures.figure import Figure
from greenexp.figures.style import FRAME, INK, ORDERED, chart
from greenexp.figures.views.channels import Titled, hover, look, number, records, spread, titled

MOST_CONFIGURATIONS = 300
"""Lines drawn, the best."""
_DASHES = {COMPLETE: [1, 0], BOUND: [6, 3], NO_MEAN: [1, 3]}
_HEIGHT, _GAP = 300, 130
"""Pixels: the height of an axis, and between two axes."""
_LETTERS, _LINES, _LINE = 15, 3, 0.05
"""Of a name on top of its axis: letters in a line, lines, and the share of the axis that a line is high."""
INSIDE = "inside"
"""A signal that a page can set to the names of the configurations that are not to be faint; null: all."""
_IS_INSIDE = f"!{INSIDE} || indexof({INSIDE}, datum.configuration) >= 0"
_FAINT = 0.06


def parallel_figures(findings: Findings) -> tuple[Figure, ...]:
    """The figure of `analysis.views.parallel.parallel_coordinates`; none where it refused.

    Colour is lightness by score; the dash says whether the score is a mean after full training. A line breaks where a
    configuration does not have a field; a faint dotted one leads over the gap.
    """
    if findings.refusal:
        return ()
    points, axes = findings["points"], findings["axes"]
    drawn = points[points["score"].notna() & (points["place"] <= MOST_CONFIGURATIONS)]
    score = titled(findings, "score")
    layers = [*_lines(drawn, score), *_axes(findings)]
    params = [{"name": INSIDE, "value": None}]
    spec = chart([], layers, width=max(3, len(axes) - 1) * _GAP, height=_HEIGHT, params=params)
    spec["config"]["axis"] = {**spec["config"]["axis"], "grid": False}
    return (Figure("parallel-coordinates", "Searched fields and score", _alt(drawn, axes, score), spec, drawn),)


def _x() -> dict[str, Any]:
    return {"field": "axis", "type": "quantitative", "axis": None, "scale": {"nice": False, "zero": False,
                                                                            "padding": 50}}  # fmt: skip


def _y() -> dict[str, Any]:
    scale = {"domain": [-0.03, 1.08 + _LINES * _LINE], "nice": False}
    return {"field": "position", "type": "quantitative", "axis": None, "scale": scale}


def _lines(drawn: pd.DataFrame, score: Titled) -> list[dict[str, Any]]:
    """The worst first, so that the best are on top; a gap where there is no position."""
    rows = records(drawn.sort_values(["place", "axis"], ascending=[False, True], kind="stable"))
    kinds = [kind for kind in _DASHES if (drawn["status"] == kind).any()]
    tooltip = hover(
        ("configuration", "Configuration"), ("settings", "Settings"), ("score", score.title), ("status", "Score is"),
        ("seeds", "Seeds"), ("place", "Place"), ("field", "Field"), ("value", "Value"), formats={"score": ".4f"},
    )  # fmt: skip
    color = {
        "field": "score", "type": "quantitative", "title": score.title,
        "scale": {"scheme": ORDERED, "zero": False, "reverse": score.better == "less"},
        "legend": {"values": spread(drawn["score"].tolist(), log=False), "format": ".3f", "titleLimit": 320},
    }  # fmt: skip
    dash = look("status", kinds, [_DASHES[kind] for kind in kinds], "Score")
    shared = {"x": _x(), "y": _y(), "color": color, "detail": {"field": "configuration"}, "tooltip": tooltip}
    line = {"type": "line", "strokeWidth": 1.6, "opacity": 0.8, "invalid": "break-paths-show-path-domains"}
    point = {"type": "point", "filled": True, "size": 22, "opacity": 0.9}
    values = {"values": rows}
    dashes = {"strokeDash": dash} if kinds != [COMPLETE] else {}
    bridge = {"type": "line", "strokeWidth": 1, "opacity": 0.3, "strokeDash": [1, 4]}
    there = [{"filter": "isValid(datum.position)"}]
    for mark in (line, point, bridge):
        shown = mark.pop("opacity")
        mark["opacity"] = {"expr": f"({_IS_INSIDE}) ? {shown} : {_FAINT}"}
    return [
        {"data": values, "transform": there, "mark": bridge, "encoding": {**shared, "order": {"field": "axis"}}},
        {"data": values, "mark": line, "encoding": {**shared, **dashes, "order": {"field": "axis"}}},
        {"data": values, "transform": there, "mark": point, "encoding": shared},
    ]


def _axes(findings: Findings) -> list[dict[str, Any]]:
    """A line for each axis with its marks in its own unit and its name on top."""
    axes = findings["axes"]
    place = dict(zip(axes["field"], axes["axis"], strict=True))
    ticks = findings["ticks"]
    marks = records(ticks, axis=[place[field] for field in ticks["field"]])
    names = [
        {"axis": int(row["axis"]), "position": 1.06, "label": in_lines(str(row["label"])), "field": row["field"],
         "kind": row["kind"]}
        for row in axes.to_dict("records")
    ]  # fmt: skip
    rules = [{"axis": int(number), "position": 0, "top": 1} for number in axes["axis"]]
    text = {"type": "text", "align": "right", "dx": -6, "fontSize": 11, "color": INK}
    halo = {**text, "stroke": "#ffffff", "strokeWidth": 3, "color": "#ffffff", "opacity": 0.9}
    tick = {"type": "tick", "color": FRAME, "size": 8, "thickness": 1, "orient": "horizontal"}
    upwards = "-14 * (length(split(datum.label, '\\n')) - 1)"  # else further lines go down, onto the axis
    name = {"type": "text", "baseline": "bottom", "fontSize": 12, "color": INK, "lineBreak": "\n",
            "dy": {"expr": upwards}}  # fmt: skip
    tooltip = hover(("field", "Field"), ("kind", "Scale"))
    labelled = {"x": _x(), "y": _y(), "text": {"field": "text"}}
    return [
        {"data": {"values": rules}, "mark": {"type": "rule", "color": FRAME},
         "encoding": {"x": _x(), "y": _y(), "y2": {"field": "top"}}},
        {"data": {"values": marks}, "mark": tick, "encoding": {"x": _x(), "y": _y()}},
        {"data": {"values": marks}, "mark": halo, "encoding": labelled},
        {"data": {"values": marks}, "mark": text, "encoding": labelled},
        {"data": {"values": names}, "mark": name,
         "encoding": {"x": _x(), "y": _y(), "text": {"field": "label"}, "tooltip": tooltip}},
    ]  # fmt: skip


def in_lines(label: str) -> str:
    """A name in lines, broken after a space, a dot or an underscore where there is one."""
    parts = re.findall(r"[^ ._]+[ ._]*|[ ._]+", label)
    lines = [""]
    for part in parts:
        if lines[-1] and len((lines[-1] + part).rstrip()) > _LETTERS:
            lines.append("")
        lines[-1] += part
    shown = [line.rstrip() if len(line) <= _LETTERS + 2 else f"{line[: _LETTERS - 1]}…" for line in lines[:_LINES]]
    return "\n".join(shown) + ("…" if len(lines) > _LINES else "")


def _alt(drawn: pd.DataFrame, axes: pd.DataFrame, score: Titled) -> str:
    """The fields, and where the best configuration lies."""
    fields = ", ".join(str(label) for label in axes["label"][:-1])
    best = drawn[drawn["place"] == drawn["place"].min()]
    own = "; ".join(
        f"{field} {value}"
        for field, value in zip(best["field"], best["value"], strict=True)
        if value and field != SCORE_FIELD
    )
    row = best.iloc[0]
    count = drawn["configuration"].nunique()
    return (
        f"Parallel coordinates of {count} configurations over {fields} and {score.title}; the best, "
        f"{row['configuration']} with {number(row['score'])}, has {own}."
    )
