"""The report as Markdown (GitHub's tables), with the figures as SVG files beside it."""

from __future__ import annotations

from collections.abc import Sequence

from greenexp.report.section import Section
from greenexp.report.table import Table
from greenexp.report.text import clean, markdown_text

MOST_ROWS = 50


def markdown_report(title: str, sections: Sequence[Section]) -> str:
    """The text; figures are referred to as `figures/<name>.svg`."""
    return f"# {markdown_text(title)}\n\n{markdown_sections(sections)}"


def markdown_sections(sections: Sequence[Section]) -> str:
    """The sections without a title above them."""
    return "\n\n".join(block for section in sections for block in _section(section)) + "\n"


def _section(section: Section) -> list[str]:
    blocks = [f"## {markdown_text(section.title)}"]
    if section.headline:
        blocks.append("\n".join(f"- **{markdown_text(sentence)}**" for sentence in section.headline))
    blocks += [markdown_text(paragraph) for paragraph in section.paragraphs]
    for plate in section.plates:
        figure = plate.figure
        blocks.append(f"![{markdown_text(figure.alt)}](figures/{figure.name}.svg)")
        blocks.append(f"*{markdown_text(figure.title)}.* {markdown_text(figure.alt)}")
    if section.listing:
        blocks.append(_fenced(clean(section.listing).rstrip()))
    for table in section.tables:
        blocks += _table(table)
    if section.assumptions:
        blocks.append("\n".join(f"> - {markdown_text(note)}" for note in section.assumptions))
    return blocks


def _table(table: Table) -> list[str]:
    if table.frame.empty:
        return [f"{markdown_text(table.title)}: no rows."]
    lines = [
        _line([column.title for column in table.columns]),
        f"|{'|'.join('--:' if column.numeric else '---' for column in table.columns)}|",
        *(_line(row) for row in table.cells(MOST_ROWS)),
    ]
    rest = len(table.rows) - MOST_ROWS
    note = " ".join([table.note, f"{rest} more rows in {table.path}." if rest > 0 else ""]).strip()
    return [f"**{markdown_text(table.title)}**", "\n".join(lines), *([markdown_text(note)] if note else [])]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(markdown_text(cell) for cell in cells)} |"


def _fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}yaml\n{text}\n{fence}"
