"""The operating points of one trial's exit policies, with a mark that a page moves to the chosen threshold."""

from __future__ import annotations

from typing import Any

from greenexp.analysis.findings import Findings
from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, chart, quantity
from greenexp.figures.views.channels import hover, look, records, titled
from greenexp.records.policies import STATIC

CHOSEN = "chosen"
"""The name of the data set with the marked operating point, which a page can set."""
_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, INK, GREY)
_DASHES = ([1, 0], [6, 4], [2, 2], [8, 3, 2, 3], [1, 4], [10, 4])


def threshold_figures(findings: Findings) -> tuple[Figure, ...]:
    """Score over speed-up, a line per policy in the order of its speed-ups, squares for one exit used alone.

    findings: of `analysis.views.operating_points.operating_point_table`; no figure where it refused
    """
    if findings.refusal:
        return ()
    points, score, speed = findings["points"], titled(findings, "score"), titled(findings, "speed_up")
    known = points.dropna(subset=["score", "speed_up"]).sort_values(["policy", "speed_up"], kind="stable")
    early, alone = known[(known["policy"] != STATIC) & ~known["bound"]], known[known["policy"] == STATIC]
    if known.empty:
        return ()
    policies = list(dict.fromkeys(points["policy"][points["policy"].isin(early["policy"])]))[: len(_COLOURS)]
    x, y = quantity("speed_up", speed.title), quantity("score", score.title)
    tooltip = hover(
        ("policy", "Policy"), ("threshold", "Threshold"), ("score", score.title), ("speed_up", speed.title),
        formats={"threshold": ".4g", "score": ".4f", "speed_up": ".2f"},
    )  # fmt: skip
    at = {"x": x, "y": y, "tooltip": tooltip}
    apart: dict[str, Any] = {
        "color": look("policy", policies, _COLOURS, "Policy"), "strokeDash": look("policy", policies, _DASHES, "Policy")
    }  # fmt: skip
    drawn = early[early["policy"].isin(policies)]
    first = records((drawn if len(drawn) else alone).head(1))
    layers = [
        {"data": {"values": records(drawn)}, "mark": {"type": "line", "strokeWidth": 2}, "encoding": {**at, **apart}},
        {"data": {"values": records(alone)}, "mark": {"type": "point", "shape": "square", "color": INK, "size": 60},
         "encoding": at},
        {"data": {"name": CHOSEN, "values": first},
         "mark": {"type": "point", "shape": "circle", "color": VERMILLION, "size": 220, "strokeWidth": 3},
         "encoding": at},
    ]  # fmt: skip
    best = known.sort_values("score", ascending=score.better == "less", kind="stable").iloc[0]
    alt = (
        f"{score.title} over speed-up of {len(known)} operating points of {best['trial']}, a line per policy and a "
        f"square per exit used alone: best {best['score']:.4f} at {best['speed_up']:.2f}x by {best['policy']}."
    )
    title = f"Operating points of {best['trial']}"
    return (Figure("operating-points", title, alt, chart([], layers), known),)
