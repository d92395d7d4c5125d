"""The report as LaTeX (booktabs): a document to compile, and every table as a file for other documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from greenexp.figures import Figure
from greenexp.report.section import Section
from greenexp.report.table import Table
from greenexp.report.text import latex_text

MOST_ROWS = 40
TABLES_FOLDER = "latex-tables"
"""Where the tables for other documents are, seen from the folder of the report."""
MOST_COLUMNS = 6
"""Beyond it a table is scaled to the width of the text."""
_PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp}
\usepackage{booktabs}
\usepackage{graphicx}
\usepackage[margin=2.5cm]{geometry}
\begin{document}"""


def latex_report(title: str, sections: Sequence[Section]) -> str:
    """The document. Listings (the sweep file) stay out: they are in the HTML and Markdown reports."""
    blocks = [_PREAMBLE, f"\\title{{{latex_text(title)}}}\n\\date{{}}\n\\maketitle"]
    for section in sections:
        blocks.append(f"\\section{{{latex_text(section.title)}}}")
        if section.headline:
            blocks.append(_items(section.headline))
        if not section.listing:
            blocks += [latex_text(paragraph) for paragraph in section.paragraphs]
        blocks += [_figure(plate.figure) for plate in section.plates]
        blocks += [_table(table) for table in section.tables if not table.frame.empty]
        if section.assumptions:
            blocks.append(f"\\paragraph{{What this rests on}}\n{_items(section.assumptions)}")
    return "\n\n".join([*blocks, "\\end{document}"]) + "\n"


def latex_tables(sections: Sequence[Section]) -> dict[str, str]:
    """Path, seen from the folder of the report -> the table as the document has it, with caption and label."""
    shown = [table for section in sections for table in section.tables if not table.frame.empty]
    return {f"{TABLES_FOLDER}/{Path(table.path).stem}.tex": f"{_table(table)}\n" for table in shown}


def _figure(figure: Figure) -> str:
    """The drawing, which the report writes as PDF."""
    caption = latex_text(f"{figure.title}. {figure.alt}")
    return "\n".join(
        [
            "\\begin{figure}[htbp]",
            "\\centering",
            f"\\includegraphics[width=0.8\\textwidth]{{figures/{figure.name}.pdf}}",
            f"\\caption{{{caption}}}",
            f"\\label{{fig:{figure.name}}}",
            "\\end{figure}",
        ]
    )


def _items(sentences: Sequence[str]) -> str:
    lines = "\n".join(f"  \\item {latex_text(sentence)}" for sentence in sentences)
    return f"\\begin{{itemize}}\n{lines}\n\\end{{itemize}}"


def _table(table: Table) -> str:
    return _list(table) if table.listed else _tabular(table)


def _list(table: Table) -> str:
    """A row as an item that is called after its first cell; the other cells each begin with their heading."""
    items = [
        f"  \\item[{{{latex_text(row[0])}}}] "
        + " ".join(
            f"\\emph{{{latex_text(column.title)}:}} {latex_text(cell.rstrip('.'))}."
            for column, cell in zip(table.columns[1:], row[1:], strict=True)
            if cell != column.missing
        )
        for row in table.cells(MOST_ROWS)
    ]
    head = f"\\paragraph{{{latex_text(table.title)}}} {latex_text(table.note)}"
    return "\n".join([head, "\\begin{description}", *items, "\\end{description}"])


def _tabular(table: Table) -> str:
    align = "".join("r" if column.numeric else "l" for column in table.columns)
    head = " & ".join(latex_text(column.title) for column in table.columns)
    body = "\n".join(f"{' & '.join(latex_text(cell) for cell in row)} \\\\" for row in table.cells(MOST_ROWS))
    lines = [f"\\begin{{tabular}}{{@{{}}{align}@{{}}}}", "\\toprule", f"{head} \\\\", "\\midrule", body, "\\bottomrule"]
    tabular = "\n".join([*lines, "\\end{tabular}"])
    if len(table.columns) > MOST_COLUMNS:
        tabular = f"\\resizebox{{\\textwidth}}{{!}}{{%\n{tabular}}}"
    rest = len(table.rows) - MOST_ROWS
    parts = [f"{table.title}.", table.note, f"{rest} more rows in {table.path}." if rest > 0 else ""]
    caption = latex_text(" ".join(part for part in parts if part))
    head_lines = ["\\begin{table}[htbp]", "\\centering", f"\\caption{{{caption}}}", f"\\label{{tab:{table.name}}}"]
    return "\n".join([*head_lines, tabular, "\\end{table}"])
