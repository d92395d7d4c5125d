"""The checklists as a section of the report, and as a document of their own."""

from __future__ import annotations

from collections.abc import Iterable

from greenexp.errors import UnknownNameError
from greenexp.records.tables import SweepTables
from greenexp.report.checklists import CHECKLISTS, RecordFacts, checklist_table
from greenexp.report.latex import latex_report
from greenexp.report.markdown import markdown_report
from greenexp.report.section import Section

NAME = "checklists"
FORMATS = ("md", "tex")
_NOTE = (
    'Answers are what the sweep\'s record says, with the section of this report where it stands. "On record" does not '
    "mean that it is in your paper. Items that are not listed, such as those on limits, risks, licences and the use of "
    "assistants, are yours to answer."
)


def section(tables: SweepTables) -> Section:
    """All checklists, a table each."""
    facts = RecordFacts(tables)
    made = tuple(checklist_table(checklist, facts) for checklist in CHECKLISTS.values())
    return Section(NAME, "Checklists of conferences", paragraphs=(_NOTE,), tables=made)


def checklist_document(tables: SweepTables, kind: str = "md", names: Iterable[str] = ()) -> str:
    """Filled checklists, all or those named, as Markdown or as a LaTeX document. UnknownNameError for others."""
    if kind not in FORMATS:
        raise UnknownNameError("format of a checklist", kind, list(FORMATS))
    wanted = tuple(names) or tuple(CHECKLISTS)
    for name in wanted:
        if name not in CHECKLISTS:
            raise UnknownNameError("checklist", name, list(CHECKLISTS))
    facts = RecordFacts(tables)
    title = f"Sweep {tables.history.name}: checklists"
    parts = [
        Section(name, CHECKLISTS[name].title, tables=(checklist_table(CHECKLISTS[name], facts),)) for name in wanted
    ]
    parts.insert(0, Section(NAME, "How to read this", paragraphs=(_NOTE,)))
    return (markdown_report if kind == "md" else latex_report)(title, parts)
