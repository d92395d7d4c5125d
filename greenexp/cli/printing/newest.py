"""The sweep that is meant where none is named: the newest one under `out/`, which is said."""

from __future__ import annotations

from greenexp.cli.printing.remarks import note
from greenexp.sources.folders import DEFAULT, newest_sweep


def or_newest(source: str | None) -> str:
    """`source`, or the folder of the newest sweep under `out/`; says which that is if there are several."""
    if source is not None:
        return source
    newest = newest_sweep()
    if newest.others:
        more = len(newest.others)
        note(
            f"no folder was named: this is {newest.folder}, the newest of {more + 1} sweeps under {DEFAULT}/ (the others: "
            f"{', '.join(folder.name for folder in newest.others[:5])}{', ...' if more > 5 else ''})"
        )
    return str(newest.folder)
