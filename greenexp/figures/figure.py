"""What a figure is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from greenexp.figures.vector import svg_of


@dataclass(frozen=True)
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

    def _repr_html_(self) -> str:
        """The figure as a notebook shows it, with its text alternative."""
        return svg_of(self.spec, self.name, self.alt)
