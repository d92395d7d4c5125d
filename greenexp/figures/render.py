"""Figures as SVG text."""

from __future__ import annotations

import re

from greenexp.figures.figure import Figure
from greenexp.figures.vector import svg_of

_PLACES = re.compile(r' (?:d|transform|[xy][12]?|width|height)="[^"]*"')
_FRACTION = re.compile(r"-?\d+\.\d{3,}(?:e-\d+)?")


def render_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element with its text alternative; see `vector.svg_of`."""
    return svg_of(figure.spec, figure.name, figure.alt)


def compact_svg(figure: Figure) -> str:
    """The same with places to a hundredth of a pixel, for a page with many figures: a third smaller."""
    return _PLACES.sub(lambda place: _FRACTION.sub(_rounded, place[0]), render_svg(figure))


def _rounded(number: re.Match[str]) -> str:
    return f"{round(float(number[0]), 2) + 0.0:g}"  # + 0.0: no -0
