"""Accuracy against inference FLOPs: operating points and their Pareto front."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from greenexp.analysis import Metric
from greenexp.figures.figure import Figure
from greenexp.figures.scale import axis_unit
from greenexp.figures.style import BLUE, GREY, chart, quantity
from greenexp.units import format_quantity

MOST_DOMINATED = 1200
"""Dominated points drawn; beyond it every k-th, so that a report stays small."""
_FRONT, _BEHIND = "on the front", "dominated"


def operating_points_figure(points: pd.DataFrame, metric: Metric) -> Figure:
    """The front as filled circles on a step line, the rest as hollow squares.

    points: as `analysis.operating_front` gives them, at least one with a score and FLOPs.
    """
    drawn = _thinned(points.dropna(subset=["score", "inference_flops"]))
    divisor, unit = axis_unit("FLOP", float(drawn["inference_flops"].max()))
    data = [
        {"flops": flops / divisor, "score": score, "kind": _FRONT if front else _BEHIND}
        for flops, score, front in zip(drawn["inference_flops"], drawn["score"], drawn["on_front"], strict=True)
    ]
    x = quantity("flops", f"Inference cost per example ({unit})")
    x["scale"] = {"zero": True, "nice": True}
    y = quantity("score", f"dev {metric.name} of the exit used")
    kinds = [_FRONT, _BEHIND]
    shown = {
        "color": {"field": "kind", "type": "nominal", "title": None, "scale": {"domain": kinds, "range": [BLUE, GREY]}},
        "fill": {"field": "kind", "type": "nominal", "title": None,
                 "scale": {"domain": kinds, "range": [BLUE, "#ffffff"]}},
        "shape": {"field": "kind", "type": "nominal", "title": None,
                  "scale": {"domain": kinds, "range": ["circle", "square"]}},
        "size": {"condition": {"test": f"datum.kind === '{_FRONT}'", "value": 80}, "value": 25},
        "opacity": {"condition": {"test": f"datum.kind === '{_FRONT}'", "value": 1}, "value": 0.65},
    }  # fmt: skip
    step = {"type": "line", "interpolate": "step-after", "color": BLUE, "strokeWidth": 1.5}
    front_only = [{"filter": f"datum.kind === '{_FRONT}'"}]
    layers: list[dict[str, Any]] = [
        {"transform": front_only, "mark": step, "encoding": {"x": x, "y": y}},
        {"mark": {"type": "point", "strokeWidth": 1.5}, "encoding": {"x": x, "y": y, **shown}},
    ]  # fmt: skip
    return Figure("operating-points", "Score against inference FLOPs", _alt(drawn, metric), chart(data, layers), drawn)


def _thinned(points: pd.DataFrame) -> pd.DataFrame:
    """All of the front and at most `MOST_DOMINATED` others, evenly over the order of cost."""
    behind = np.flatnonzero(~points["on_front"].to_numpy(dtype=bool))
    kept = behind
    if behind.size > MOST_DOMINATED:
        kept = behind[np.linspace(0, behind.size - 1, MOST_DOMINATED).astype(int)]
    front = np.flatnonzero(points["on_front"].to_numpy(dtype=bool))
    return points.iloc[np.sort(np.concatenate([front, kept]))]


def _alt(drawn: pd.DataFrame, metric: Metric) -> str:
    front = drawn[drawn["on_front"]]
    low, high = front.iloc[0], front.iloc[-1]
    return (
        f"Scatter of {len(drawn)} operating points, dev {metric.name} against inference FLOPs; {len(front)} are on "
        f"the front, from {low['score']:.4f} at {format_quantity(float(low['inference_flops']), 'FLOP')} to "
        f"{high['score']:.4f} at {format_quantity(float(high['inference_flops']), 'FLOP')} per example."
    )
