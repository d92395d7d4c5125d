"""The report as one HTML file: no network request, readable 600 px wide and in a sandboxed frame.

Its one script is pinned by its hash in the page's policy, which lets no other run; without it all can be read too.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from greenexp.report.page import Chapter, Page
from greenexp.report.section import Section
from greenexp.report.table import Table
from greenexp.report.text import clean

MOST_ROWS = 200
"""Rows of a table in the page; its CSV has all."""
FIRST_ROWS = 8
"""Rows of a longer table before it is unfolded."""
LEAST_FOLDED = 4
"""Rows that are worth folding."""
WIDE = 720
"""Pixels beyond which a figure does not share its row."""
COLUMNS_BESIDE = 5
"""Columns of a table that stands beside a figure, at most."""
LARGEST_CSV = 300_000
ALL_CSVS = 1_000_000
"""Bytes of CSV carried inside the page, for one table and for all; beyond it the page names the file instead."""

_HERE = Path(__file__).parent
_WIDTH = re.compile(r"max-width:([\d.]+)px")
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, finalize=lambda value: clean(value) if type(value) is str else value,
)  # fmt: skip


def _breakable(title: str) -> Markup:
    """The name of a column, which may go on in another line after a dot or an underscore within a word."""
    return Markup("<wbr>").join(re.split(r"(?<=\w[._])(?=\w)", clean(title)))


_ENVIRONMENT.filters["breakable"] = _breakable


def html_report(page: Page, drawings: Mapping[str, str]) -> str:
    """The page. drawings: figure name -> its `<svg>`, which is trusted; all other text is escaped."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    plates, tables = page.plates, page.tables
    first = page.first
    moved = () if first is None else (*first.figures, first.compared, first.numbers)
    return _ENVIRONMENT.get_template("page.html.j2").render(
        page=page,
        chapters=_opened(page),
        lead=[] if first is None else [plates[name] for name in first.figures],
        numbers=tables.get(first.numbers) if first is not None else None,
        compared=tables.get(first.compared) if first is not None else None,
        more=next((section for section in page.sections if first is not None and section.name == first.more), None),
        moved=moved,
        drawings={name: Markup(svg) for name, svg in drawings.items()},  # made by figures.render
        wide={name for name, svg in drawings.items() if (width := _WIDTH.search(svg)) and float(width[1]) > WIDE},
        links=_links(page.sections),
        most_rows=MOST_ROWS,
        rows_before=_rows_before,
        fits_beside=_fits_beside,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # our own file
        script=Markup(script),  # our own file
        script_hash=Markup(f"sha256-{digest}"),
    )


@dataclass(frozen=True)
class OpenedChapter:
    """A chapter with its sections. unanswered: those that have a reason in place of a result."""

    name: str
    title: str
    sections: tuple[Section, ...]
    unanswered: tuple[Section, ...]


def _opened(page: Page) -> list[OpenedChapter]:
    named = {section.name: section for section in page.sections}
    return [_chapter(chapter, [named[name] for name in chapter.sections if name in named]) for chapter in page.chapters]


def _chapter(chapter: Chapter, sections: Sequence[Section]) -> OpenedChapter:
    """A chapter of nothing but reasons shows them as sections."""
    empty = [section for section in sections if not (section.all_tables or section.listing or section.paragraphs)]
    if len(empty) == len(sections):
        return OpenedChapter(chapter.name, chapter.title, tuple(sections), ())
    whole = tuple(section for section in sections if section not in empty)
    return OpenedChapter(chapter.name, chapter.title, whole, tuple(empty))


def _rows_before(table: Table) -> int:
    """How many rows are shown before the table is unfolded; all of a short one."""
    shown = min(len(table.rows), MOST_ROWS)
    return shown if shown < FIRST_ROWS + LEAST_FOLDED else FIRST_ROWS


def _fits_beside(table: Table) -> bool:
    """Whether there is room for it beside a figure."""
    prose = any(column.kind == "prose" for column in table.columns)
    return len(table.columns) <= COLUMNS_BESIDE and not prose and not table.frame.empty


def _links(sections: Sequence[Section]) -> dict[str, str]:
    """Table name -> data URI of its CSV, as long as the page stays small."""
    links: dict[str, str] = {}
    left = ALL_CSVS
    for table in (table for section in sections for table in section.all_tables):
        data = _bytes(table)
        if len(data) <= min(LARGEST_CSV, left):
            left -= len(data)
            links[table.name] = f"data:text/csv;charset=utf-8;base64,{base64.b64encode(data).decode('ascii')}"
    return links


def _bytes(table: Table) -> bytes:
    return table.csv().encode("utf-8", errors="replace")
