"""The first screen and the chapters of the report about runs that somebody else logged: the comparison leads."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.report.page import Chapter, FirstScreen
from greenexp.report.section import Section
from greenexp.version import VERSION

CHAPTERS = (
    Chapter("comparison", "Comparison", ("expected", "pairs", "best-so-far")),
    Chapter("groups-and-runs", "Groups and runs", ("groups", "runs")),
    Chapter("method", "Method", ("origin",)),
)
_FIGURES = ("expected-best", "difference", "best-so-far")
_MOST_FIGURES = 2


def first_screen(score: str, by: str | None, address: str, sections: Sequence[Section]) -> FirstScreen:
    """Who is better where groups are compared, else what there is; score, by: columns as the user named them."""
    named = {section.name: section for section in sections}
    figures = [plate.figure.name for section in sections for plate in section.plates]
    pairs = named.get("pairs")
    first, *further = (*(pairs.headline if pairs is not None else ()), *named["headline"].headline)
    grouped = f"by {by}" if by else ""
    return FirstScreen(
        subtitle=" · ".join(part for part in (score, grouped, address, f"greenexp {VERSION}") if part),
        result=first,
        certainty=tuple(further[:1]),
        figures=tuple(dict.fromkeys(name for name in (*_FIGURES, *figures) if name in figures))[:_MOST_FIGURES],
        compared="groups",
        more="headline",
    )
