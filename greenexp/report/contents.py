"""What stands where in the report of a sweep: its chapters, and the sections of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from greenexp.analysis.findings import Findings
from greenexp.errors import UnknownNameError
from greenexp.records.tables import SweepTables
from greenexp.report.checklists.section import NAME as CHECKLISTS
from greenexp.report.checklists.section import section as checklists
from greenexp.report.page import Chapter
from greenexp.report.section import Section
from greenexp.report.sections import SECTIONS
from greenexp.report.sections.line_to_line import section as line_to_line

LEAD = "headline"
"""The section before the chapters."""


CHAPTERS = (
    Chapter(
        "search",
        "Search",
        (
            "compared-searches", "search", "tuning-band", "configurations", "search-space", "early-stopping",
            "simulated", "target", "objectives",
        ),
    ),
    Chapter(
        "exits",
        "Exits",
        (
            "held-out", "front", "line-to-line", "policies", "exit-profiles", "front-over-trials", "exits",
            "overthinking", "confusion", "calibration",
        ),
    ),
    Chapter("seeds", "Seeds", ("seeds",)),
    Chapter("costs", "Costs", ("price-tag", "costs", "energy")),
    Chapter("method", "Method and assumptions", ("assumptions", "failures", CHECKLISTS)),
    Chapter("appendix", "Appendix", ("trials", "appendix")),
)  # fmt: skip

LINE_TO_LINE = "line-to-line"
"""The section that is there only where a baseline is named, or it is asked for."""
_MAKERS: Mapping[str, Callable[[SweepTables], Section]] = {**SECTIONS, CHECKLISTS: checklists}
SECTION_NAMES = (LEAD, *(name for chapter in CHAPTERS for name in chapter.sections))
"""Names of all sections, in the order of the report."""


def wanted_sections(names: Iterable[str] = ()) -> tuple[str, ...]:
    """The named sections, each once, in the order of the report; all without names. UnknownNameError for others."""
    asked = tuple(names)
    for name in asked:
        if name not in SECTION_NAMES:
            raise UnknownNameError("section of the report", name, SECTION_NAMES)
    return tuple(name for name in SECTION_NAMES if name in asked) if asked else SECTION_NAMES


def report_sections(tables: SweepTables, names: Iterable[str] = (), compared: Findings | None = None) -> list[Section]:
    """The sections of these names, or all of them, in the order of the report. UnknownNameError for another name.

    compared: the sweep's lines against a named baseline, as of `analysis.elue.study`; None where none is named
    """
    asked = tuple(names)
    return [
        line_to_line(compared) if name == LINE_TO_LINE else _MAKERS[name](tables)
        for name in wanted_sections(asked)
        if name != LINE_TO_LINE or asked or compared is not None
    ]
