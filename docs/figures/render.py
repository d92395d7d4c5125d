"""Draw every figure of README.md and docs into this folder: `python docs/figures/render.py`.

The numbers are those of the tables in docs/results and of `data/`, so that nothing has to be run. The pictures
of a report and of a terminal are taken by `report_picture.py` and `terminal_picture.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import concepts
import many_seeds
import model_studies
import results
import scored_lines

from greenexp.figures.figure import Figure
from greenexp.figures.render import render_svg

FOLDER = Path(__file__).parent
_LETTERS = ('font-family="sans-serif"', "font-family=\"Arial, 'Liberation Sans', Helvetica, sans-serif\"")
"""Drawings are measured with letters of Arial's width; `sans-serif` alone is a wider font on many machines."""
FIGURES: dict[str, Callable[[], Figure]] = {
    **concepts.FIGURES,
    **results.FIGURES,
    **model_studies.FIGURES,
    "elue-score": scored_lines.elue_score,
    "seeds-at-once": many_seeds.seeds_at_once,
}
"""Name of a figure -> what draws it; its file is NAME.svg."""


def drawn(name: str) -> str:
    """The text of the figure's file."""
    figure = FIGURES[name]()
    return render_svg(Figure(name, figure.title, figure.alt, figure.spec, figure.table)).replace(*_LETTERS) + "\n"


if __name__ == "__main__":
    for each in FIGURES:
        (FOLDER / f"{each}.svg").write_text(drawn(each), encoding="utf-8")
