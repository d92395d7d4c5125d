"""What a report is made of, whatever it is written as: its sections, the chapters they stand in, its first screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from greenexp.report.section import Plate, Section
from greenexp.report.table import Table


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of a report that opens. name: lower case, unique among chapters; sections: names, in their order."""

    name: str
    title: str
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """What a page shows before anything is opened.

    Figures and tables are named: they are those of the sections, and stand here instead of there.
    subtitle: what was run; result: one sentence; certainty: what else must be known of it, a sentence each
    numbers: name of the table with the columns what, value and about; figures: names, side by side
    compared: name of the table of who was compared; more: name of the section with the whole result in sentences
    """

    subtitle: str
    result: str
    certainty: tuple[str, ...] = ()
    numbers: str = ""
    figures: tuple[str, ...] = ()
    compared: str = ""
    more: str = ""


@dataclass(frozen=True)
class Page:
    """A report. sections: in their order; chapters: empty if the sections follow each other as they are."""

    title: str
    sections: Sequence[Section]
    chapters: tuple[Chapter, ...] = ()
    first: FirstScreen | None = None

    @property
    def plates(self) -> dict[str, tuple[Plate, Section]]:
        """Name of a figure -> the figure, and the section it is of."""
        return {plate.figure.name: (plate, section) for section in self.sections for plate in section.plates}

    @property
    def tables(self) -> dict[str, Table]:
        """Name of a table, those behind figures included -> the table."""
        return {table.name: table for section in self.sections for table in section.all_tables}
