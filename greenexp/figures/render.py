"""Figures as SVG text."""

from __future__ import annotations

from greenexp.figures.figure import Figure
from greenexp.figures.vector import svg_of


def render_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element with its text alternative; see `vector.svg_of`."""
    return svg_of(figure.spec, figure.name, figure.alt)
