"""Several sources of scores as one table of groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from greenexp.cli.score_tables import ALL, ScoreTable, read_scores
from greenexp.errors import InputError


def read_several(
    sources: Sequence[str],
    score: str | None,
    cost: str | None,
    by: str | None,
    *,
    minimize: bool,
    query: str | None = None,
) -> ScoreTable:
    """`read_scores` of each; of several, the groups are named after their source too.

    InputError if they do not measure the same, or differ in which is better.
    """
    tables = [read_scores(source, score, cost, by, minimize=minimize, query=query) for source in sources]
    first = tables[0]
    if len(tables) == 1:
        return first
    for source, table in zip(sources, tables, strict=True):
        if (table.score, table.minimize) != (first.score, first.minimize):
            raise InputError(f"{sources[0]} scores {first.score}, and {source} {table.score}: not to be compared")
    short = [Path(source).stem for source in sources]
    names = short if len(set(short)) == len(short) else list(sources)
    if len(set(names)) < len(names):
        raise InputError("a source is named twice")
    groups = {
        name if group == ALL and by is None else f"{name}: {group}": members
        for name, table in zip(names, tables, strict=True)
        for group, members in table.groups.items()
    }
    notes = [f"{name}: {note}" for name, table in zip(names, tables, strict=True) for note in table.notes]
    bound = next((table.bound for table in tables if table.bound), "")
    return ScoreTable(groups, first.score, cost, by or "source", first.minimize, bound, tuple(notes))
