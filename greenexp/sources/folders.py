"""Which folder of a sweep is meant: the one that is named, or the newest one under `out/`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from greenexp.errors import InputError

JOURNAL = "journal.jsonl"
DEFAULT = Path("out")
_MOST_NAMED = 10


class NewestSweep(NamedTuple):
    """folder: of the sweep whose journal was written last; others: the folders of the other sweeps, newest first."""

    folder: Path
    others: tuple[Path, ...]


def sweep_folder(given: str | Path) -> Path:
    """`given` as the folder of a sweep. InputError if it holds none, with the sweeps that lie below it."""
    folder = Path(given)
    if (folder / JOURNAL).is_file():
        return folder
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    below = sweeps_within(folder)
    if below:
        listed = ", ".join(map(str, below[:_MOST_NAMED]))
        more = f" and {len(below) - _MOST_NAMED} more" if len(below) > _MOST_NAMED else ""
        raise InputError(f"{folder} is not itself the folder of a sweep; the sweeps in it are: {listed}{more}")
    raise InputError(f"{folder} holds no sweep (there is no {JOURNAL} in it)")


def newest_sweep(parent: Path = DEFAULT) -> NewestSweep:
    """The sweep under `parent` whose journal was written last. InputError if there is none."""
    newest_first = sweeps_below(parent)
    if not newest_first:
        raise InputError(f"there is no sweep under {parent}/: name its folder, or begin with `greenexp run smoke`")
    return NewestSweep(newest_first[0], tuple(newest_first[1:]))


def sweeps_below(parent: Path) -> list[Path]:
    """The folders of sweeps directly in `parent`, the one whose journal was written last first."""
    journals = [(path.stat().st_mtime, path.parent) for path in parent.glob(f"*/{JOURNAL}")]
    return [folder for _, folder in sorted(journals, reverse=True)]


def sweeps_within(folder: Path) -> list[Path]:
    """The sweeps directly in `folder`, or else in its folder `out`."""
    return sweeps_below(folder) or sweeps_below(folder / DEFAULT)
