"""Figures as SVG text, and as files of several kinds."""

from __future__ import annotations

from pathlib import Path

from greenexp.errors import InputError
from greenexp.figures.figure import Figure
from greenexp.figures.vector import VEGA_LITE, svg_of

SUFFIXES = (".svg", ".pdf", ".png")
_SCALE = 2.0
"""Pixels of a PNG per unit of the drawing, so that it is sharp on paper and on screens of any kind."""


def render_svg(figure: Figure) -> str:
    """The figure as one `<svg>` element with its text alternative; see `vector.svg_of`."""
    return svg_of(figure.spec, figure.name, figure.alt)


def write_figure(figure: Figure, path: Path) -> None:
    """Write the figure to `path`, as SVG, PDF or PNG by its suffix. InputError for another suffix or no such folder."""
    import vl_convert

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: a figure is written as {', '.join(SUFFIXES)}")
    spec = dict(figure.spec)
    try:
        if suffix == ".svg":
            path.write_text(render_svg(figure), encoding="utf-8")
        elif suffix == ".pdf":
            path.write_bytes(vl_convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE))
        else:
            path.write_bytes(vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=_SCALE))
    except OSError as error:
        raise InputError(f"cannot write the figure to {path}: {error.strerror or error}") from error
