"""The sweep that is meant where none is named: the newest one under `out/`, which is said."""

from __future__ import annotations

from greenexp.cli.printing.remarks import note
from greenexp.sources.folders import DEFAULT, newest_sweep

MOST_NAMED = 5


def or_newest(source: str | None) -> str:
    """`source`, or the folder of the newest sweep under `out/`; says which that is if there are several."""
    if source is not None:
        return source
    newest = newest_sweep()
    if newest.others:
        more = len(newest.others)
        others = ", ".join(folder.name for folder in newest.others[:MOST_NAMED])
        note(
            f"no folder was named: this is {newest.folder}, the newest of {more + 1} sweeps under {DEFAULT}/ (the "
            f"others are {others}{', ...' if more > MOST_NAMED else ''})"
        )
    return str(newest.folder)
