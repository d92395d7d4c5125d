"""Removing what a sweep's folder does not need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from greenexp.errors import InputError
from greenexp.sources.folders import JOURNAL, sweep_folder
from greenexp.tuning.leftovers import KINDS, Leftover, leftovers, remove


@dataclass(frozen=True, slots=True)
class CleanedFolder:
    """What a sweep's folder had, and has no more, that nobody needs; after a dry run it still has it."""

    folder: Path
    leftovers: tuple[Leftover, ...]

    @property
    def kinds(self) -> dict[str, tuple[int, int]]:
        """What it is -> number of files, and bytes; of the kinds that there are."""
        of_kind = {kind: [one for one in self.leftovers if one.kind == kind] for kind in KINDS}
        return {
            KINDS[kind]: (sum(one.files for one in found), sum(one.size_b for one in found))
            for kind, found in of_kind.items()
            if found
        }


def clean(folders: Sequence[str | Path], *, dry_run: bool = False) -> list[CleanedFolder]:
    """Remove what the sweeps in `folders` do not need: no report, replay, resumption or prediction changes by it.

    dry_run: remove nothing
    Raises InputError for a folder without a sweep, for one whose sweep is running, and for what cannot be removed, and
    JournalError for a journal that cannot be trusted: what it names is not known then. All folders are looked at first.
    """
    named = [sweep_folder(folder) for folder in folders]
    found = [_cleaned(folder, dry_run=True) for folder in named]
    return found if dry_run else [_cleaned(folder, dry_run=False) for folder in named]


def _cleaned(folder: Path, *, dry_run: bool) -> CleanedFolder:
    """One folder, while nobody may write in it."""
    from filelock import FileLock, Timeout

    from greenexp.journal.file import read_events
    from greenexp.journal.state import SweepState

    try:
        with FileLock(folder / "journal.lock", timeout=0):
            found = leftovers(folder, SweepState(read_events(folder / JOURNAL)))
            for leftover in () if dry_run else found:
                remove(leftover)
    except Timeout:
        raise InputError(f"another greenexp run is writing {folder}; wait for it or stop it") from None
    except OSError as error:
        raise InputError(f"{folder} cannot be cleaned: {error.strerror}: {error.filename}") from error
    return CleanedFolder(folder, tuple(found))
