"""A submission to ELUE as it was handed in: its rows, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from greenexp.records.module_calls import ModuleCall


@dataclass(frozen=True, slots=True)
class SubmittedRow:
    """One answer. place: line of the file, from 1; index: of the example, from 0; calls: () where none are given."""

    place: int
    index: int
    answer: str
    calls: tuple[ModuleCall, ...] = ()


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Something wrong with a file. place: line from 1, 0 for the file as a whole."""

    place: int
    message: str


@dataclass(frozen=True, slots=True)
class SubmittedFile:
    """One operating point.

    kind: 1 for answers alone, 2 where every row says which modules ran; model: the code beside it, None for none
    rows: those that could be read; problems: of those that could not
    """

    path: Path
    kind: int
    rows: tuple[SubmittedRow, ...]
    problems: tuple[RowProblem, ...] = ()
    model: Path | None = None

    @property
    def name(self) -> str:
        """Of the file without its suffix: of the operating point, too."""
        return self.path.stem
