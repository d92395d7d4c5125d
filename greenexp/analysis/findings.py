"""What a study found, whoever asked: the terminal prints it, the report sets it, a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

MOST_ROWS = 20
"""Rows of a table that a notebook shows."""


@dataclass(frozen=True, eq=False, repr=False)
class Findings:
    """The answer of a study, or why there is none.

    >>> import greenexp, pandas as pd
    >>> trials = pd.DataFrame({"accuracy": [0.71, 0.74, 0.68, 0.77]})
    >>> findings = greenexp.curve(trials, score="accuracy")
    >>> isinstance(findings, greenexp.Findings), findings.refusal, list(findings.tables)
    (True, '', ['curve', 'median'])
    >>> findings["curve"]["n"].tolist()
    [1, 2, 4]

    verdict: what follows from the tables, a sentence each, the most important one first
    tables: name -> rows in base units; titles: name -> one line that says what the table holds
    notes: what a reader must know to use the tables, a sentence each; warnings: what makes a number unfit for use
    refusal: why the question has no answer with these scores; "" if it has one. With a refusal there are no tables
    figures: drawn from the tables by whoever may draw; each shows itself in a notebook
    """

    verdict: tuple[str, ...] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    figures: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        """Verdict and names only: the tables are too large for a prompt."""
        if self.refusal:
            return f"Findings(refusal={self.refusal!r})"
        return f"Findings(verdict={self.verdict!r}, tables={list(self.tables)!r}, figures={len(self.figures)})"

    def __getitem__(self, name: str) -> pd.DataFrame:
        """The table of that name."""
        return self.tables[name]

    def _repr_html_(self) -> str:
        """The findings as a notebook shows them: verdict, figures, tables, and what must be known."""
        if self.refusal:
            return f"<p><strong>No answer:</strong> {escape(self.refusal)}</p>"
        parts = [f"<p><strong>{escape(sentence)}</strong></p>" for sentence in self.verdict]
        parts += [figure._repr_html_() for figure in self.figures]
        parts += [self._table_html(name) for name, frame in self.tables.items() if len(frame)]
        parts += [f"<p>Warning: {escape(text)}</p>" for text in self.warnings]
        if self.notes:
            parts.append(f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in self.notes)}</ul>")
        return "\n".join(parts)

    def _table_html(self, name: str) -> str:
        frame = self.tables[name]
        rest = f"<p>{len(frame) - MOST_ROWS} more rows.</p>" if len(frame) > MOST_ROWS else ""
        shown = frame.head(MOST_ROWS).to_html(index=False, na_rep="–", float_format="{:.5g}".format, border=0)
        return f"<h4>{escape(self.titles.get(name, name))}</h4>\n{shown}{rest}"
