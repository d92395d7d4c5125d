"""One look for all figures: dark text on white, colours that colour-blind readers tell apart, readable 600 px wide.

Colours are Okabe and Ito's (2008); no figure relies on colour alone (shape, dash or a written number says the same).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BLUE, VERMILLION, GREEN, ORANGE, GREY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#767676"
ORDERED = "viridis"
"""A scheme for things in an order, told apart by lightness too."""
INK, FRAME, GRID = "#1a1a1a", "#8c8c8c", "#e6e6e6"
WIDTH, HEIGHT = 500, 270
"""Of the plotting area, in pixels: with axis and padding just below 600."""
_LONGEST = 36
"""Letters of a title that fit beside the drawing."""
SCHEMA_URL = "https://vega.github.io/schema/vega-lite/v6.json"

_CONFIG: Mapping[str, Any] = {
    "aria": False,  # the whole figure carries one text alternative; a label per mark would drown it
    "background": "#ffffff",
    "padding": 6,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 13, "titleFontSize": 14, "titleFontWeight": "normal",
        "gridColor": GRID, "domainColor": FRAME, "tickColor": FRAME, "labelOverlap": True, "titlePadding": 10,
    },
    "legend": {
        "labelColor": INK, "titleColor": INK, "labelFontSize": 13, "titleFontSize": 13, "orient": "top",
        "symbolSize": 90, "symbolOpacity": 1, "titleFontWeight": "normal", "labelLimit": 280, "direction": "horizontal",
        "columnPadding": 24,  # browsers set names in wider letters than those the drawing was measured with
    },
}  # fmt: skip


def chart(rows: Sequence[Mapping[str, Any]], layers: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """A complete Vega-Lite dict of `layers` over `rows`."""
    return {
        "$schema": SCHEMA_URL,
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": list(rows)},
        "layer": list(layers),
        "config": dict(_CONFIG),
        **more,
    }


def panels(
    rows: Sequence[Mapping[str, Any]],
    facet: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    columns: int,
    **more: Any,
) -> dict[str, Any]:
    """A complete Vega-Lite dict of small multiples: `layers` over the rows of each value of `facet`, in `columns`.

    size: width and height of the plotting area of each, in pixels
    """
    header = {"title": None, "labelColor": INK, "labelFontSize": 13}
    return {
        "$schema": SCHEMA_URL,
        "data": {"values": list(rows)},
        "facet": {"header": header, **facet},
        "columns": columns,
        "spec": {"width": size[0], "height": size[1], "layer": list(layers)},
        "config": dict(_CONFIG),
        **more,
    }


def title_lines(title: str) -> str | list[str]:
    """The title of a vertical axis, a long one on two lines, broken at the space nearest to its middle."""
    if len(title) <= _LONGEST:
        return title
    spaces = [place for place, letter in enumerate(title) if letter == " "]
    middle = min(spaces, key=lambda place: abs(place - len(title) / 2), default=0)
    return [title[:middle], title[middle + 1 :]] if middle else title


def quantity(field: str, title: str | list[str], **more: Any) -> dict[str, Any]:
    """A quantitative channel that need not begin at zero, with few ticks."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False, "nice": True},
        "axis": {"tickCount": 6},
        **more,
    }
