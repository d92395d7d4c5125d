"""From tables to files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from greenexp.errors import GreenexpError, UnknownNameError
from greenexp.figures import Figure
from greenexp.figures.render import render_svg
from greenexp.records.tables import SweepTables
from greenexp.report.checklists.section import section as checklists
from greenexp.report.html import html_report
from greenexp.report.latex import latex_report, latex_tables
from greenexp.report.markdown import markdown_report
from greenexp.report.section import Section
from greenexp.report.sections import SECTIONS

FORMATS = ("html", "md", "tex", "csv")


def render_report(tables: SweepTables, formats: Iterable[str], folder: Path) -> list[Path]:
    """Write the report into `folder` (made if absent) and return the files, in a fixed order.

    formats: `html` -> report.html (self-contained), `md` -> report.md and figures/*.svg, `tex` -> report.tex,
    figures/*.pdf, and a latex-tables/*.tex per table for other documents, `csv` -> report-tables/*.csv: every table of
    the report, those behind the figures included.
    Equal tables give equal files on one machine, but for the order of objects in a PDF; nothing is read but the tables.
    UnknownNameError for another format.
    """
    return render_sections(report_title(tables), report_sections(tables), formats, folder)


def render_sections(title: str, sections: Sequence[Section], formats: Iterable[str], folder: Path) -> list[Path]:
    """Write any sections as a report; see `render_report`."""
    wanted = list(dict.fromkeys(formats))
    for name in wanted:
        if name not in FORMATS:
            raise UnknownNameError("report format", name, FORMATS)
    _check_names([table.name for section in sections for table in section.all_tables])
    drawings: dict[str, str] = {}
    if {"html", "md"} & set(wanted):
        drawings = {plate.figure.name: render_svg(plate.figure) for section in sections for plate in section.plates}
    texts: dict[str, str] = {}
    if "html" in wanted:
        texts["report.html"] = html_report(title, sections, drawings)
    if "md" in wanted:
        texts["report.md"] = markdown_report(title, sections)
        texts |= {f"figures/{name}.svg": svg for name, svg in drawings.items()}
    if "tex" in wanted:
        texts["report.tex"] = latex_report(title, sections)
        texts |= latex_tables(sections)
    if "csv" in wanted:
        texts |= {table.path: table.csv() for section in sections for table in section.all_tables}
    written = [_write(folder / name, text) for name, text in texts.items()]
    if "tex" in wanted:
        written += [_write_pdf(plate.figure, folder) for section in sections for plate in section.plates]
    return written


def report_sections(tables: SweepTables) -> list[Section]:
    """All sections, in order; for whoever writes another format."""
    makers = (*SECTIONS[:-1], checklists, SECTIONS[-1])  # the appendix stays last
    sections = [make(tables) for make in makers]
    _check_names([table.name for section in sections for table in section.all_tables])
    return sections


def report_title(tables: SweepTables) -> str:
    """`Sweep <name>: report`."""
    return f"Sweep {tables.history.name}: report"


def _check_names(names: Sequence[str]) -> None:
    """Two tables of one name would overwrite each other's CSV."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise GreenexpError(f"two tables of the report are both called {', '.join(doubled)}")


def _write_pdf(figure: Figure, folder: Path) -> Path:
    path = folder / "figures" / f"{figure.name}.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.save(path)
    return path


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    return path
