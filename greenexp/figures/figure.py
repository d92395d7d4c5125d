"""What a figure is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from greenexp.errors import InputError
from greenexp.figures.vector import VEGA_LITE, svg_of

SUFFIXES = (".svg", ".pdf", ".png")
_SCALE = 2.0
"""Pixels of a PNG per unit of the drawing, so that it is sharp on paper and on screens of any kind."""


@dataclass(frozen=True, repr=False)
class Figure:
    """A drawing, what it shows in one sentence, and its numbers.

    >>> import greenexp, pandas as pd
    >>> trials = pd.DataFrame({"accuracy": [0.71, 0.74, 0.68, 0.77]})
    >>> figure = greenexp.curve(trials, score="accuracy").figures[0]
    >>> isinstance(figure, greenexp.Figure), figure._repr_html_().startswith("<svg")
    (True, True)

    name: lower case with dashes, unique in a report (file names and ids come from it); title: what it is
    alt: the text alternative, one sentence with the main numbers
    spec: a complete Vega-Lite dict, data inlined; table: every number drawn, in base units
    """

    name: str
    title: str
    alt: str
    spec: Mapping[str, Any]
    table: pd.DataFrame

    def __repr__(self) -> str:
        """Name and title only: the drawing has all its numbers inlined."""
        return f"Figure({self.name!r}, title={self.title!r})"

    def save(self, path: str | Path) -> None:
        """Write the figure to `path`, as SVG, PDF or PNG by its suffix.

        InputError for another suffix, and where the file cannot be written.
        """
        import vl_convert

        path, spec = Path(path), dict(self.spec)
        suffix = path.suffix.lower()
        if suffix not in SUFFIXES:
            raise InputError(f"{path}: a figure is written as {', '.join(SUFFIXES)}")
        try:
            if suffix == ".svg":
                path.write_text(svg_of(spec, self.name, self.alt), encoding="utf-8")
            elif suffix == ".pdf":
                path.write_bytes(vl_convert.svg_to_pdf(svg_of(spec, self.name, self.alt)))
            else:
                path.write_bytes(vl_convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=_SCALE))
        except OSError as error:
            raise InputError(f"cannot write the figure to {path}: {error.strerror or error}") from error

    def _repr_html_(self) -> str:
        """The figure as a notebook shows it, with its text alternative."""
        return svg_of(self.spec, self.name, self.alt)
