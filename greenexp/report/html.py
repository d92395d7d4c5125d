"""The report as one HTML file: no network request, readable 600 px wide and in a sandboxed frame.

Its one script is pinned by its hash in the page's policy, which lets no other run; without it all can be read too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from markupsafe import Markup

from greenexp.report.section import Section
from greenexp.report.table import Table
from greenexp.report.text import clean

MOST_ROWS = 200
"""Rows of a table in the page; its CSV has all."""
LARGEST_CSV = 300_000
ALL_CSVS = 1_000_000
"""Bytes of CSV carried inside the page, for one table and for all; beyond it the page names the file instead."""

_HERE = Path(__file__).parent
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
    lstrip_blocks=True, finalize=lambda value: clean(value) if type(value) is str else value,
)  # fmt: skip


def html_report(title: str, sections: Sequence[Section], drawings: Mapping[str, str]) -> str:
    """The page. drawings: figure name -> its `<svg>`, which is trusted; all other text is escaped."""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return _ENVIRONMENT.get_template("page.html.j2").render(
        title=title,
        sections=sections,
        drawings={name: Markup(svg) for name, svg in drawings.items()},  # made by figures.render
        links=_links(sections),
        most_rows=MOST_ROWS,
        style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),  # our own file
        script=Markup(script),  # our own file
        script_hash=Markup(f"sha256-{digest}"),
    )


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
