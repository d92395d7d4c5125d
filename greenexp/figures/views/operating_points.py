"""The operating points of one trial: score against cost, a line per policy, and where examples leave."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.figures.exit_profiles import MOST_POLICIES, exit_profiles_figure
from greenexp.figures.figure import Figure
from greenexp.figures.style import VERMILLION, chart, quantity
from greenexp.figures.views.channels import (
    DASHES,
    FRONT_COLOURS,
    MOST_GROUPS,
    SHAPES,
    Titled,
    hover,
    look,
    lowered,
    number,
    of_scores,
    records,
    titled,
)
from greenexp.records.policies import STATIC

CHOSEN = "chosen"
"""A signal with the operating point that is marked, `inference_flops` and `score`; a page can set it."""
MOST_POINTS = 150
"""Drawn of one policy; of more, some evenly over speed-up."""


def operating_point_figures(findings: Findings) -> tuple[Figure, ...]:
    """Figures of `analysis.views.operating_points.operating_point_table`: score over cost, then exit profiles.

    Of at most `MOST_GROUPS` policies, and of `MOST_POLICIES` that have profiles; none where it refused.
    """
    if findings.refusal:
        return ()
    policies = findings["policies"]["policy"].tolist()[:MOST_GROUPS]
    points = findings["points"].dropna(subset=["score", "inference_flops"])
    parts = [_thinned(points[points["policy"] == policy]) for policy in policies]
    drawn = pd.concat([part for part in parts if len(part)]) if any(map(len, parts)) else points.head(0)
    profiles = findings["profiles"]
    early = [policy for policy in dict.fromkeys(profiles["policy"]) if policy != STATIC][:MOST_POLICIES]
    trial = str(findings["points"]["trial"].iloc[0])
    return (
        *([_scores(findings, drawn, trial)] if len(drawn) else []),
        *([_with_shares(exit_profiles_figure(profiles, early, trial))] if early else []),
    )


def _with_shares(figure: Figure) -> Figure:
    """The same figure of exit profiles, whose bars say policy, exit and share on hover."""
    panel = figure.spec["spec"]
    (bars,) = panel["layer"]
    tooltip = hover(("policy", "Policy"), ("exit", "Exit"), ("share", "Share that leaves there"),
                    formats={"share": ".1%"})  # fmt: skip
    share = {"calculate": "datum.top - datum.bottom", "as": "share"}
    told = {**bars, "transform": [share], "encoding": {**bars["encoding"], "tooltip": tooltip}}
    spec = {**figure.spec, "spec": {**panel, "layer": [told]}}
    return Figure(figure.name, figure.title, figure.alt, spec, figure.table)


def _thinned(own: pd.DataFrame) -> pd.DataFrame:
    """Of one policy, in the order of cost, at most `MOST_POINTS`, the first and the last among them."""
    rows = own.sort_values(["inference_flops", "threshold"], kind="stable")
    step = max(1, -(-len(rows) // MOST_POINTS))
    return pd.concat([rows.iloc[:-1:step], rows.tail(1)])


def _scores(findings: Findings, drawn: pd.DataFrame, trial: str) -> Figure:
    cost, score = titled(findings, "inference_flops"), titled(findings, "score")
    divisor, across = cost.scaled(drawn["inference_flops"].tolist())
    policies = list(dict.fromkeys(drawn["policy"]))
    x = quantity("shown", across)
    x["scale"] = {"zero": True, "nice": True}
    y = of_scores("score", score.title, drawn["score"].tolist())
    tooltip = hover(
        ("policy", "Policy"), ("threshold", "Threshold"), ("score", score.title), ("speed_up", "Speed-up"),
        ("inference_flops", "FLOPs per example"), ("bound", "Needs the labels"),
        formats={"threshold": ".4g", "score": ".4f", "speed_up": ".2f", "inference_flops": ".4s"},
    )  # fmt: skip
    color = {"color": look("policy", policies, FRONT_COLOURS)}
    dashes = {"strokeDash": look("policy", policies, DASHES)}
    shapes = {"shape": look("policy", policies, SHAPES)}
    shared = {"x": x, "y": y, "tooltip": tooltip, **color}
    layers = [
        {"mark": {"type": "line", "strokeWidth": 1.3, "opacity": 0.6}, "encoding": {**shared, **dashes}},
        {"mark": {"type": "point", "filled": True, "size": 28, "opacity": 0.8}, "encoding": {**shared, **shapes}},
    ]
    shown = drawn["inference_flops"] / divisor
    rows = records(drawn, shown=shown.tolist())
    layers.append(_chosen(divisor, x, y))
    first = {name: rows[0][name] for name in ("inference_flops", "score")}
    title = f"Operating points of {trial}"
    spec = chart(rows, layers, params=[{"name": CHOSEN, "value": first}])
    return Figure("operating-points-of-trial", title, _alt(drawn, score, cost), spec, drawn)


def _chosen(divisor: float, x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    """A ring around the operating point that a page has given to the signal `CHOSEN`."""
    ring = {"type": "point", "shape": "circle", "size": 240, "strokeWidth": 3, "filled": False, "color": VERMILLION}
    place = [
        {"calculate": f"{CHOSEN}.inference_flops / {divisor!r}", "as": "shown"},
        {"calculate": f"{CHOSEN}.score", "as": "score"},
    ]
    return {"data": {"values": [{}]}, "transform": place, "mark": ring, "encoding": {"x": x, "y": y}}


def _alt(drawn: pd.DataFrame, score: Titled, cost: Titled) -> str:
    """Of each policy, its best score and its speed-up there."""
    parts = []
    for policy, own in drawn.groupby("policy", sort=False):
        best = own.sort_values("score", ascending=score.better == "less", kind="stable").iloc[0]
        parts.append(f"{policy} {number(best['score'])} at {best['speed_up']:.2f}×")
    return f"Points of {score.title} over {lowered(cost.title)}, one line per policy, the best {'; '.join(parts)}."
