"""Findings about groups of scores while they are written, and what is said of every group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from greenexp.analysis.findings import Findings
from greenexp.analysis.numbers.trial_numbers import counted
from greenexp.records.scores import ScoreGroup, Scores

MOST_SENTENCES = 6
"""Groups of which the verdict speaks."""


@dataclass(eq=False)
class Draft:
    """Findings while they are written: rows of tables and sentences, group by group."""

    verdict: list[str] = field(default_factory=list)
    rows: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, table: str, rows: pd.DataFrame) -> None:
        """Rows below those that the table has."""
        self.rows.setdefault(table, []).append(rows)

    def findings(self) -> Findings:
        """What has been written."""
        return Findings(
            verdict=tuple(self.verdict),
            tables={name: pd.concat(frames, ignore_index=True) for name, frames in self.rows.items()},
            titles=self.titles,
            notes=tuple(self.notes),
            warnings=tuple(self.warnings),
        )


def sentences_of_groups(sentences: Sequence[str]) -> list[str]:
    """The sentences of the first groups, and how many groups the table has besides."""
    more = len(sentences) - MOST_SENTENCES
    rest = [f"The table has {counted(more, 'more group')}."] if more > 0 else []
    return [*sentences[:MOST_SENTENCES], *rest]


def prefix(scores: Scores, name: str) -> str:
    """`cnn: ` before what is said of the group `name`; "" where there are no groups."""
    return "" if scores.by is None else f"{name}: "


def failures(scores: Scores) -> Iterator[str]:
    """How many trials have no score, and what that makes of a curve."""
    consequence = (
        "they are left out, so the curve is about trials that do not fail; failed trials also cost money, so the same "
        "budget gives fewer usable trials than the curve suggests"
        if scores.cost is None
        else "they cost what they cost and score nothing"
    )
    for name, group in scores.groups.items():
        if group.failed:
            yield f"{prefix(scores, name)}{group.failed} of {len(group.frame)} trials have no score; {consequence}"


def groups_with_scores(scores: Scores, draft: Draft) -> dict[str, ScoreGroup]:
    """The groups that have a score; a note on the others."""
    groups = scores.groups
    for name, group in groups.items():
        if not group.scored.size:
            draft.notes.append(f"{name} has no score")
    return {name: group for name, group in groups.items() if group.scored.size}
