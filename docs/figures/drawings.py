"""Kinds of drawings that several pages use: points with intervals, lines over numbers, a table as coloured cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from greenexp.figures.figure import Figure
from greenexp.figures.style import BLUE, GREEN, GREY, INK, ORANGE, VERMILLION, chart, panels

COLOURS = (BLUE, VERMILLION, GREEN, INK, ORANGE)
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross")
DASHES = ([1, 0], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4])


@dataclass(frozen=True)
class Axis:
    """A quantitative axis.

    title: what it counts; domain: its ends, those of the data if not given; log: in equal ratios; ticks: their places;
    reference: a value to be compared with, drawn as a dashed line
    """

    title: str
    domain: tuple[float, float] | None = None
    log: bool = False
    ticks: Sequence[float] = ()
    reference: float | None = None

    def channel(self, name: str, *, titled: bool = True) -> dict[str, Any]:
        """The channel for the column `name`; panels have one title for all of them, and none each."""
        scale: dict[str, Any] = {"zero": False, "nice": self.domain is None}
        if self.log:
            scale = {"type": "log", "nice": False}
        if self.domain is not None:
            scale["domain"] = list(self.domain)
        axis: dict[str, Any] = {"tickCount": 6, "labelOverlap": not self.ticks}
        if self.ticks:
            axis["values"] = list(self.ticks)
        return {"field": name, "type": "quantitative", "title": self.title if titled else None, "scale": scale,
                "axis": axis}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """Sizes in pixels: of one panel, of the panels in a row, of a row, of the longest row name."""

    width: int = 400
    columns: int = 1
    row: int = 24
    names: int = 230


@dataclass(frozen=True)
class Points:
    """Points with intervals, a row for each name, a mark for each series, a panel for each value of `panel`.

    rows: row, value, and where there are any lower, upper, series and panel, in the order of drawing
    """

    rows: Sequence[Mapping[str, Any]]
    axis: Axis
    layout: Layout = field(default_factory=Layout)

    def figure(self, name: str, title: str, alt: str) -> Figure:
        """The drawing with its table."""
        table = pd.DataFrame(list(self.rows))
        names = list(dict.fromkeys(table["row"]))
        y: dict[str, Any] = {
            "field": "row", "type": "nominal", "title": None, "sort": names,
            "axis": {"grid": True, "ticks": False, "labelLimit": self.layout.names},
        }  # fmt: skip
        look: dict[str, Any] = {"color": {"value": BLUE}}
        offset: dict[str, Any] = {}
        several = list(dict.fromkeys(table["series"])) if "series" in table else []
        if several:
            look = series_look(several)
            offset = {"yOffset": {"field": "series", "type": "nominal", "sort": several}}
        layers = self._layers(y, look, offset, table)
        data = table.to_dict("records")
        height = len(names) * self.layout.row * max(1, round(0.55 * len(several)))
        if "panel" not in table:
            return Figure(name, title, alt, chart(data, layers, width=self.layout.width, height=height), table)
        facet = {"field": "panel", "type": "nominal", "sort": list(dict.fromkeys(table["panel"]))}
        below = {"text": self.axis.title, "orient": "bottom", "anchor": "middle", "color": INK, "fontSize": 14,
                 "fontWeight": "normal", "offset": 10}  # fmt: skip
        spec = panels(data, facet, layers, (self.layout.width, height), self.layout.columns, title=below)
        return Figure(name, title, alt, spec, table)

    def _layers(
        self, y: dict[str, Any], look: dict[str, Any], offset: dict[str, Any], table: pd.DataFrame
    ) -> list[dict[str, Any]]:
        layers: list[dict[str, Any]] = []
        titled = "panel" not in table
        if self.axis.reference is not None:
            rule = {"type": "rule", "color": GREY, "strokeDash": [4, 4], "strokeWidth": 1.5}
            layers.append({"mark": rule, "encoding": {"x": {"datum": self.axis.reference, "type": "quantitative"}}})
        if "lower" in table:
            ends = {"x": self.axis.channel("lower", titled=titled), "x2": {"field": "upper"}}
            rule = {"type": "rule", "strokeWidth": 2, "clip": True}
            layers.append({"mark": rule, "encoding": {**ends, "y": y, **offset, "color": look["color"]}})
        point = {"type": "point", "filled": True, "size": 70, "opacity": 1}
        encoding = {"x": self.axis.channel("value", titled=titled), "y": y, **offset, **look}
        layers.append({"mark": point, "encoding": encoding})
        return layers


def series_look(names: Sequence[str]) -> dict[str, Any]:
    """Colour and shape for each series."""
    return {
        channel: {"field": "series", "type": "nominal", "title": None, "sort": list(names),
                  "scale": {"domain": list(names), "range": list(values[: len(names)])}}
        for channel, values in (("color", COLOURS), ("shape", SHAPES))
    }  # fmt: skip


@dataclass(frozen=True)
class Lines:
    """A line for each series, told apart by colour, dash and mark, a panel for each value of `panel`.

    rows: x, value, series, and where there is one panel
    """

    rows: Sequence[Mapping[str, Any]]
    x: Axis
    y: Axis
    size: tuple[int, int] = (500, 270)

    def figure(self, name: str, title: str, alt: str) -> Figure:
        """The drawing with its table."""
        table = pd.DataFrame(list(self.rows)).dropna(subset=["value"])
        names = list(dict.fromkeys(table["series"]))
        x, y, look = self.x.channel("x"), self.y.channel("value"), series_look(names)
        dash = {"field": "series", "type": "nominal", "title": None, "sort": names,
                "scale": {"domain": names, "range": list(DASHES[: len(names)])}}  # fmt: skip
        line = {"type": "line", "strokeWidth": 2}
        point = {"type": "point", "filled": True, "size": 45, "opacity": 1}
        layers = [
            {"mark": line, "encoding": {"x": x, "y": y, "color": look["color"], "strokeDash": dash}},
            {"mark": point, "encoding": {"x": x, "y": y, **look}},
        ]
        data = table.to_dict("records")
        return Figure(name, title, alt, chart(data, layers, width=self.size[0], height=self.size[1]), table)


@dataclass(frozen=True)
class Cells:
    """A table as coloured cells with their numbers, light for the least value.

    rows: row, column, value; title: of the columns; least: values from there down have the lightest colour
    """

    rows: Sequence[Mapping[str, Any]]
    title: str
    least: float
    cell: tuple[int, int] = (58, 20)

    def figure(self, name: str, title: str, alt: str) -> Figure:
        """The drawing with its table."""
        table = pd.DataFrame(list(self.rows)).dropna(subset=["value"])
        names, columns = list(dict.fromkeys(table["row"])), sorted(set(table["column"]))
        high = float(table["value"].max())
        x = {"field": "column", "type": "ordinal", "title": self.title,
             "axis": {"orient": "top", "labelAngle": 0, "ticks": False, "domain": False}}  # fmt: skip
        y = {"field": "row", "type": "nominal", "title": None, "sort": names,
             "axis": {"ticks": False, "domain": False, "labelLimit": 230}}  # fmt: skip
        colour = {"field": "value", "type": "quantitative", "title": None, "legend": None,
                  "scale": {"scheme": "blues", "domain": [self.least, high], "clamp": True}}  # fmt: skip
        middle = self.least + 0.6 * (high - self.least)
        ink = {"condition": {"test": f"datum.value > {middle:.6g}", "value": "#ffffff"}, "value": INK}
        text = {"field": "value", "type": "quantitative", "format": ".1f"}
        layers = [
            {"mark": {"type": "rect", "stroke": "#ffffff"}, "encoding": {"x": x, "y": y, "color": colour}},
            {"mark": {"type": "text", "fontSize": 12}, "encoding": {"x": x, "y": y, "text": text, "color": ink}},
        ]
        size = {"width": self.cell[0] * len(columns), "height": self.cell[1] * len(names)}
        return Figure(name, title, alt, chart(table.to_dict("records"), layers, **size), table)
