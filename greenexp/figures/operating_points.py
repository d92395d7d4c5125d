"""Accuracy against inference FLOPs: operating points and their Pareto front."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.analysis.fronts.operating_points import evenly
from greenexp.analysis.sweeps.metric import SweepMetric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit
from greenexp.figures.style import BLUE, GREY, ORANGE, chart, quantity
from greenexp.records.policies import STATIC
from greenexp.units import format_quantity

MOST_DOMINATED = 1200
"""Points drawn that are not on the front; of more, some evenly over cost, so that a report stays small."""
MOST_STATIC = 400
"""Of those, exits used alone, where there are thresholds too."""
MANY = 60
"""Points on the front beyond which they are drawn small, as they would hide one another."""
_FRONT, _ALONE, _EARLY = "on the front", "one exit for all", "leaving early"
_COLOURS = {_FRONT: BLUE, _ALONE: GREY, _EARLY: ORANGE}
_FILLS = {_FRONT: BLUE, _ALONE: "#ffffff", _EARLY: ORANGE}
_SHAPES = {_FRONT: "circle", _ALONE: "square", _EARLY: "diamond"}


def operating_points_figure(points: pd.DataFrame, metric: SweepMetric) -> Figure:
    """The front as filled circles on a step line, behind it exits used alone as squares, policies as small diamonds.

    points: as `analysis.operating_front` gives them, at least one with a score and FLOPs.
    """
    drawn = _thinned(points.dropna(subset=["score", "inference_flops"]))
    divisor, unit = axis_unit("FLOP", float(drawn["inference_flops"].max()))
    columns = (drawn[name] for name in ("inference_flops", "score", "on_front", "policy"))
    data = [
        {"flops": flops / divisor, "score": score, "kind": _kind(front, policy)}
        for flops, score, front, policy in zip(*columns, strict=True)
    ]
    x = quantity("flops", f"Inference cost per example ({unit})")
    x["scale"] = {"zero": True, "nice": True}
    y = quantity("score", f"dev {metric.name}")
    kinds = [kind for kind in (_FRONT, _ALONE, _EARLY) if any(row["kind"] == kind for row in data)]
    shown: dict[str, Any] = {
        channel: {"field": "kind", "type": "nominal", "title": None,
                  "scale": {"domain": kinds, "range": [values[kind] for kind in kinds]}}
        for channel, values in (("color", _COLOURS), ("fill", _FILLS), ("shape", _SHAPES))
    }  # fmt: skip
    on_front, early = f"datum.kind === '{_FRONT}'", f"datum.kind === '{_EARLY}'"
    size = 80 if drawn["on_front"].sum() <= MANY else 20
    shown["size"] = {"condition": [{"test": on_front, "value": size}, {"test": early, "value": 8}], "value": 25}
    shown["opacity"] = {"condition": {"test": on_front, "value": 1}, "value": 0.65}
    step = {"type": "line", "interpolate": "step-after", "color": BLUE, "strokeWidth": 1.5}
    behind, front_only = [{"filter": f"!({on_front})"}], [{"filter": on_front}]
    mark = {"type": "point", "strokeWidth": 1.5}
    layers: list[dict[str, Any]] = [
        {"transform": behind, "mark": mark, "encoding": {"x": x, "y": y, **shown}},
        {"transform": front_only, "mark": step, "encoding": {"x": x, "y": y}},
        {"transform": front_only, "mark": mark, "encoding": {"x": x, "y": y, **shown}},
    ]
    return Figure("operating-points", "Score against inference FLOPs", _alt(drawn, metric), chart(data, layers), drawn)


def _kind(front: bool, policy: str) -> str:
    return _FRONT if front else _ALONE if policy == STATIC else _EARLY


def _thinned(points: pd.DataFrame) -> pd.DataFrame:
    """All of the front and at most `MOST_DOMINATED` others, evenly over the order of cost."""
    front = points["on_front"].to_numpy(dtype=bool)
    alone = points[~front & (points["policy"] == STATIC).to_numpy(dtype=bool)]
    early = points[~front & (points["policy"] != STATIC).to_numpy(dtype=bool)]
    alone = evenly(alone, MOST_STATIC if len(early) else MOST_DOMINATED)
    early = evenly(early, MOST_DOMINATED - len(alone))
    return points.loc[points[front].index.union(alone.index).union(early.index)]


def _alt(drawn: pd.DataFrame, metric: SweepMetric) -> str:
    front = drawn[drawn["on_front"]]
    low, high = front.iloc[0], front.iloc[-1]
    return (
        f"Scatter of {len(drawn)} operating points, dev {metric.name} against inference FLOPs; {len(front)} are on "
        f"the front, from {low['score']:.4f} at {format_quantity(float(low['inference_flops']), 'FLOP')} to "
        f"{high['score']:.4f} at {format_quantity(float(high['inference_flops']), 'FLOP')} per example."
    )
