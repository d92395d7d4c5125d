"""From tables to files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from greenexp.analysis.findings import Findings
from greenexp.errors import GreenexpError, UnknownNameError
from greenexp.figures import Figure
from greenexp.figures.render import compact_svg
from greenexp.records.tables import SweepTables
from greenexp.report.contents import CHAPTERS, report_sections, wanted_sections
from greenexp.report.first_screen import first_screen
from greenexp.report.html import html_report
from greenexp.report.latex import latex_report, latex_tables
from greenexp.report.markdown import markdown_report
from greenexp.report.page import Page
from greenexp.report.printed import browser, write_pdf

FORMATS = ("html", "md", "tex", "csv")
"""What the report is written as without another program."""
PDF = "pdf"
STEM = "report"


def render_report(
    tables: SweepTables,
    formats: Iterable[str],
    folder: Path,
    sections: Iterable[str] = (),
    compared: Findings | None = None,
) -> list[Path]:
    """Write the report into `folder` (made if absent) and return the files, in a fixed order.

    formats: `html` -> report.html (self-contained), `md` -> report.md and figures/*.svg, `tex` -> report.tex,
    figures/*.pdf, and a latex-tables/*.tex per table for other documents, `csv` -> report-tables/*.csv: every table of
    the report, those behind the figures included, `pdf` -> report.pdf, printed by an installed Chromium.
    sections: names of the only ones to be written, to `report-NAME.html` and so on; all by default
    compared: its lines against a named baseline, for the section `line-to-line`
    Equal tables give equal files on one machine, but for the order of objects in a PDF; nothing is read but the tables.
    UnknownNameError for another format or section; InputError for `pdf` without a Chromium.
    """
    asked = tuple(sections)
    names, title = wanted_sections(asked), report_title(tables)
    kinds = _known(formats)
    made = report_sections(tables, asked, compared)
    if asked:
        return render_page(Page(title, made), kinds, folder, "-".join((STEM, *names)))
    return render_page(Page(title, made, CHAPTERS, first_screen(tables, made)), kinds, folder)


def render_page(page: Page, formats: Iterable[str], folder: Path, stem: str = STEM) -> list[Path]:
    """Write any sections as a report; see `render_report`. stem: what the files are called before their suffix."""
    kinds, sections = _known(formats), page.sections
    program = browser() if PDF in kinds else ""
    _check_names([table.name for section in sections for table in section.all_tables])
    drawings: dict[str, str] = {}
    if {"html", "md", PDF} & set(kinds):
        drawings = {plate.figure.name: compact_svg(plate.figure) for section in sections for plate in section.plates}
    texts: dict[str, str] = {}
    whole = html_report(page, drawings) if {"html", PDF} & set(kinds) else ""
    if "html" in kinds:
        texts[f"{stem}.html"] = whole
    if "md" in kinds:
        texts[f"{stem}.md"] = markdown_report(page.title, sections)
        texts |= {f"figures/{name}.svg": svg for name, svg in drawings.items()}
    if "tex" in kinds:
        texts[f"{stem}.tex"] = latex_report(page.title, sections)
        texts |= latex_tables(sections)
    if "csv" in kinds:
        texts |= {table.path: table.csv() for section in sections for table in section.all_tables}
    written = [_write(folder / name, text) for name, text in texts.items()]
    if "tex" in kinds:
        written += [_write_figure(plate.figure, folder) for section in sections for plate in section.plates]
    if PDF in kinds:
        written.append(write_pdf(whole, folder / f"{stem}.pdf", program))
    return written


def report_title(tables: SweepTables) -> str:
    """`Sweep <name>: report`."""
    return f"Sweep {tables.history.name}: report"


def _known(formats: Iterable[str]) -> list[str]:
    kinds = list(dict.fromkeys(formats))
    for name in kinds:
        if name not in (*FORMATS, PDF):
            raise UnknownNameError("report format", name, (*FORMATS, PDF))
    return kinds


def _check_names(names: Sequence[str]) -> None:
    """Two tables of one name would overwrite each other's CSV."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise GreenexpError(f"two tables of the report are both called {', '.join(doubled)}")


def _write_figure(figure: Figure, folder: Path) -> Path:
    path = folder / "figures" / f"{figure.name}.pdf"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.save(path)
    return path


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="replace", newline="\n")
    return path
