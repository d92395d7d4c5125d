"""What a section of the report is, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from greenexp.figures import Figure
from greenexp.report.table import Table


@dataclass(frozen=True)
class Plate:
    """A figure with the table of what it shows."""

    figure: Figure
    table: Table


@dataclass(frozen=True)
class Section:
    """A part of the report: plain text (no markup; the writers escape it), tables, figures.

    name: lower case with dashes, unique; headline: sentences with numbers, the result; paragraphs: what to know to read
    it listing: lines to be set as they are (a file); assumptions: what must hold for the headline, computed from the
    sweep
    """

    name: str
    title: str
    headline: tuple[str, ...] = ()
    paragraphs: tuple[str, ...] = ()
    plates: tuple[Plate, ...] = ()
    tables: tuple[Table, ...] = ()
    listing: str = ""
    assumptions: tuple[str, ...] = ()

    @property
    def all_tables(self) -> tuple[Table, ...]:
        """The figures' tables and its own."""
        return (*(plate.table for plate in self.plates), *self.tables)

    def _repr_html_(self) -> str:
        """The section as a notebook shows it: its result, figures, tables and what the result rests on."""
        parts = [f"<h3>{escape(self.title)}</h3>"]
        parts += [f"<p><strong>{escape(sentence)}</strong></p>" for sentence in self.headline]
        parts += [f"<p>{escape(text)}</p>" for text in self.paragraphs]
        parts += [plate.figure._repr_html_() for plate in self.plates]
        parts += [f"<pre>{escape(self.listing)}</pre>"] if self.listing else []
        parts += [table._repr_html_() for table in self.tables]
        parts += [f"<p>Assumption: {escape(text)}</p>" for text in self.assumptions]
        return "\n".join(parts)
