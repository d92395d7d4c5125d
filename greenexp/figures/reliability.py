"""Reliability diagrams: accuracy against confidence, before and after temperature scaling."""

from __future__ import annotations

from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, FRAME, VERMILLION, panels

MOST_EXITS = 3
_BEFORE, _AFTER, _EQUAL = "before scaling", "after scaling", "confidence = accuracy"
_SIZE = (142, 142)


def reliability_figure(bins: pd.DataFrame, ece: dict[int, tuple[float, float]], trial: str, split: str) -> Figure:
    """A panel per exit: a mark per bin of confidence, its area by examples, and the line of perfect calibration.

    bins: table `reliability` of one trial, one split and at most `MOST_EXITS` exits; empty bins are not drawn
    ece: exit -> expected calibration error before and after
    """
    table = bins[bins["examples"] > 0].reset_index(drop=True)
    low = float(table["low"].min())
    data: list[dict[str, Any]] = [
        {"exit": f"exit {number}", "kind": _AFTER if after else _BEFORE, "confidence": confidence,
         "accuracy": accuracy, "examples": int(examples)}
        for number, after, confidence, accuracy, examples in zip(
            table["exit"], table["calibrated"], table["confidence"], table["accuracy"], table["examples"], strict=True)
    ]  # fmt: skip
    exits = [f"exit {number}" for number in dict.fromkeys(table["exit"])]
    data += [
        {"exit": name, "kind": _EQUAL, "confidence": at, "accuracy": at, "examples": 0}
        for name in exits
        for at in (low, 1.0)
    ]
    facet = {"field": "exit", "type": "nominal", "sort": exits}
    spec = panels(data, facet, _layers(low), _SIZE, len(exits))
    return Figure(
        "reliability",
        f"Reliability of {trial} on {split}, before and after scaling by a temperature per exit",
        _alt(ece, split),
        spec,
        table,
    )


def _layers(least: float) -> list[dict[str, Any]]:
    """least: the lower edge of the least confident bin that is filled."""
    x = {"field": "confidence", "type": "quantitative", "title": "Confidence",
         "scale": {"domain": [least, 1.0], "nice": False, "zero": False},
         "axis": {"tickCount": 3, "format": ".2~f"}}  # fmt: skip
    y = {"field": "accuracy", "type": "quantitative", "title": "Accuracy", "scale": {"domain": [0, 1.0]},
         "axis": {"tickCount": 5, "format": ".1f"}}  # fmt: skip
    kinds = [_BEFORE, _AFTER]
    looks: dict[str, Any] = {
        channel: {"field": "kind", "type": "nominal", "title": None, "scale": {"domain": kinds, "range": values},
                  "legend": {"symbolStrokeWidth": 2}}
        for channel, values in (("stroke", [VERMILLION, BLUE]), ("shape", ["triangle-up", "circle"]))
    }  # fmt: skip
    size = {"field": "examples", "type": "quantitative", "legend": None,
            "scale": {"type": "sqrt", "rangeMin": 8, "rangeMax": 220}}  # fmt: skip
    return [
        {"transform": [{"filter": f"datum.kind === '{_EQUAL}'"}],
         "mark": {"type": "line", "color": FRAME, "strokeWidth": 1}, "encoding": {"x": x, "y": y}},
        {"transform": [{"filter": f"datum.kind !== '{_EQUAL}'"}],
         "mark": {"type": "point", "filled": False, "strokeWidth": 1.8, "opacity": 1, "clip": False},
         "encoding": {"x": x, "y": y, "size": size, **looks}},
    ]  # fmt: skip


def _alt(ece: dict[int, tuple[float, float]], split: str) -> str:
    parts = [f"exit {number} {before:.4f} before and {after:.4f} after" for number, (before, after) in ece.items()]
    return f"Accuracy against confidence on {split}; expected calibration error of {'; '.join(parts)}."
