"""Diagrams: labelled boxes joined by arrows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, degrees
from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREY, INK, chart

_FILL, _QUIET = "#e8f1f8", "#ffffff"


@dataclass(frozen=True)
class Box:
    """A box with a text of one or more lines, by its middle and size in pixels; `main` boxes are filled."""

    text: str
    x: float
    y: float
    width: float = 110
    height: float = 44
    main: bool = True


@dataclass(frozen=True)
class Arrow:
    """A straight arrow between two places, with a text beside its middle; `back` arrows are dashed."""

    start: tuple[float, float]
    end: tuple[float, float]
    text: str = ""
    back: bool = False
    shift: tuple[float, float] = (0, -8)


def diagram(
    boxes: Sequence[Box], arrows: Sequence[Arrow], size: tuple[int, int], name: str, title: str, alt: str
) -> Figure:
    """The drawing, with the texts of boxes and arrows as its table. `size`: width and height in pixels."""
    layers = [
        _arrow_lines(arrows, size),
        _arrow_heads(arrows, size),
        *_boxes(boxes, size),
        _texts([(arrow, _beside(arrow)) for arrow in arrows if arrow.text], size),
    ]
    table = pd.DataFrame(
        [
            *({"what": "box", "text": box.text.replace("\n", " ")} for box in boxes),
            *({"what": "arrow", "text": arrow.text.replace("\n", " ")} for arrow in arrows),
        ]
    )
    spec = chart([], layers, width=size[0], height=size[1])
    return Figure(name, title, alt, spec, table)


def _place(field: str, size: tuple[int, int]) -> dict[str, Any]:
    length = size[0] if field.startswith("x") else size[1]
    domain = [0, length] if field.startswith("x") else [length, 0]
    scale = {"domain": domain, "nice": False, "zero": False}
    return {"field": field, "type": "quantitative", "axis": None, "scale": scale}


def _boxes(boxes: Sequence[Box], size: tuple[int, int]) -> list[dict[str, Any]]:
    rows = [
        {
            "x": box.x - box.width / 2, "x2": box.x + box.width / 2, "xm": box.x, "ym": box.y,
            "y": box.y - box.height / 2, "y2": box.y + box.height / 2, "text": box.text,
            "fill": _FILL if box.main else _QUIET, "dy": -7.5 * box.text.count("\n"),
        }
        for box in boxes
    ]  # fmt: skip
    place = {"x": _place("x", size), "x2": {"field": "x2"}, "y": _place("y", size), "y2": {"field": "y2"}}
    fill = {"field": "fill", "type": "nominal", "scale": None, "legend": None}
    lines: dict[str, Any] = {"type": "text", "fontSize": 13, "color": INK, "lineBreak": "\n", "lineHeight": 15}
    middle = {"x": _place("xm", size), "y": _place("ym", size), "text": {"field": "text"}}
    return [
        {
            "data": {"values": rows},
            "mark": {"type": "rect", "stroke": BLUE, "strokeWidth": 1.5, "cornerRadius": 4},
            "encoding": {**place, "fill": fill},
        },
        *(
            {
                "data": {"values": [row for row in rows if row["dy"] == shift]},
                "mark": {**lines, "dy": shift},
                "encoding": middle,
            }
            for shift in sorted({row["dy"] for row in rows})
        ),
    ]


def _arrow_lines(arrows: Sequence[Arrow], size: tuple[int, int]) -> dict[str, Any]:
    rows = [
        {
            "x": arrow.start[0], "y": arrow.start[1], "x2": arrow.end[0], "y2": arrow.end[1],
            "kind": "back" if arrow.back else "on",
        }
        for arrow in arrows
    ]  # fmt: skip
    dash = {
        "field": "kind", "type": "nominal", "legend": None,
        "scale": {"domain": ["on", "back"], "range": [[1, 0], [5, 4]]},
    }  # fmt: skip
    return {
        "data": {"values": rows},
        "mark": {"type": "rule", "color": GREY, "strokeWidth": 1.8},
        "encoding": {
            "x": _place("x", size), "y": _place("y", size), "x2": {"field": "x2"}, "y2": {"field": "y2"},
            "strokeDash": dash,
        },
    }  # fmt: skip


def _arrow_heads(arrows: Sequence[Arrow], size: tuple[int, int]) -> dict[str, Any]:
    rows = []
    for arrow in arrows:
        dx, dy = arrow.end[0] - arrow.start[0], arrow.end[1] - arrow.start[1]
        length = (dx * dx + dy * dy) ** 0.5
        x, y = arrow.end[0] - 4 * dx / length, arrow.end[1] - 4 * dy / length
        rows.append({"x": x, "y": y, "angle": degrees(atan2(dy, dx)) + 90})
    return {
        "data": {"values": rows},
        "mark": {"type": "point", "shape": "triangle-up", "filled": True, "size": 70, "color": GREY, "opacity": 1},
        "encoding": {
            "x": _place("x", size), "y": _place("y", size),
            "angle": {"field": "angle", "type": "quantitative", "scale": None},
        },
    }  # fmt: skip


def _beside(arrow: Arrow) -> tuple[float, float]:
    (x, y), (x2, y2) = arrow.start, arrow.end
    return (x + x2) / 2 + arrow.shift[0], (y + y2) / 2 + arrow.shift[1]


def _texts(places: Sequence[tuple[Arrow, tuple[float, float]]], size: tuple[int, int]) -> dict[str, Any]:
    rows = [{"x": x, "y": y, "text": arrow.text} for arrow, (x, y) in places]
    mark = {"type": "text", "fontSize": 12, "color": INK, "stroke": None, "lineBreak": "\n", "lineHeight": 14}
    return {
        "data": {"values": rows},
        "mark": mark,
        "encoding": {"x": _place("x", size), "y": _place("y", size), "text": {"field": "text"}},
    }
