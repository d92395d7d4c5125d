"""Operating points of lines over a baseline's line: what ELUE's score is the mean of."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, GREY, ORANGE, VERMILLION, chart, quantity

MOST_LINES = 4
"""Lines drawn; there is no telling more of them apart by shape and colour."""
_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE)
_SHAPES = ("circle", "triangle-up", "diamond", "cross")


def elue_figure(findings: Findings, name: str = "elue-score") -> Figure:
    """The baseline as a grey line with squares; each point of the first lines, with a thin line down to the baseline.

    findings: as of `analysis.elue.study.elue_study`
    """
    scores, points = findings["scores"], findings["points"]
    names = [str(line) for line in scores["line"]][:MOST_LINES]
    drawn = points[points["line"].isin(names)].reset_index(drop=True)
    below = findings["baseline"]
    base = str(scores["baseline"].iloc[0])
    short = {line: _short(line, names) for line in names}
    data = [
        {"line": short[str(row.line)], "mflops": row.mflops, "points": row.points, "baseline": row.baseline}
        for row in drawn.itertuples(index=False)
    ]
    line_data = {"values": below[["mflops", "points"]].to_dict("records")}
    x, y = quantity("mflops", "Inference cost per example (MFLOPs)"), quantity("points", "Score (points)")
    domain = list(short.values())
    look: dict[str, Any] = {
        "color": {"field": "line", "type": "nominal", "title": None,
                  "scale": {"domain": domain, "range": list(_COLOURS[: len(names)])}},
        "shape": {"field": "line", "type": "nominal", "title": None,
                  "scale": {"domain": domain, "range": list(_SHAPES[: len(names)])}},
    }  # fmt: skip
    rule = {"x": x, "y": y, "y2": {"field": "baseline"}, "color": look["color"]}
    layers: list[dict[str, Any]] = [
        {"data": line_data, "mark": {"type": "line", "color": GREY, "strokeWidth": 2}, "encoding": {"x": x, "y": y}},
        {"data": line_data, "mark": {"type": "point", "shape": "square", "filled": True, "color": GREY, "size": 45},
         "encoding": {"x": x, "y": y}},
        {"mark": {"type": "rule", "opacity": 0.35}, "encoding": rule},
        {"mark": {"type": "point", "filled": True, "size": 45, "opacity": 0.9}, "encoding": {"x": x, "y": y, **look}},
    ]  # fmt: skip
    table = pd.concat([drawn, below[["mflops", "points"]].assign(line=base, seed="mean")], ignore_index=True)
    return Figure(
        name, f"Operating points over the baseline {base}", _alt(scores, names, base), chart(data, layers), table
    )


def _short(line: str, names: list[str]) -> str:
    """The last part of a path-like name, where that is enough to tell the lines apart."""
    last = line.rpartition("/")[2]
    return last if sum(other.rpartition("/")[2] == last for other in names) == 1 else line


def _alt(scores: pd.DataFrame, names: list[str], base: str) -> str:
    parts = [
        f"{row['line']} {row['score']:+.2f} points on average over {row['points']} points"
        for _, row in scores[scores["line"].isin(names)].iterrows()
    ]
    return f"Score over MFLOPs per example, set against the line of {base} (grey): {'; '.join(parts)}."
