"""The results folder of a sweep that begins, or goes on, and folders that something is exported to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from greenexp.api.watching import Watcher
from greenexp.errors import InputError
from greenexp.sources.folders import JOURNAL


def check_folder(folder: Path, *, resume: bool, fresh: bool) -> None:
    """Refuse to mix two sweeps: one that is there is resumed or put aside, as the user says. InputError says how."""
    if resume and fresh:
        raise InputError("--resume and --fresh exclude each other")
    there = (folder / JOURNAL).is_file()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: results are written to a folder")
    if there and not (resume or fresh):
        raise InputError(
            f"{folder} holds a sweep already: --resume goes on with it, --fresh puts it aside, --out DIR goes elsewhere"
        )
    if resume and not there:
        raise InputError(f"there is nothing to resume: {folder} holds no sweep")


def prepare_folder(folder: Path, watch: Watcher, *, fresh: bool) -> None:
    """Make the folder, readable by the user alone; with `fresh`, put a sweep that is in it aside."""
    if fresh and (folder / JOURNAL).is_file():
        watch.remark("put aside", str(put_aside(folder)))
    try:
        # Resolved: of a symbolic link, what it points to may just have been put aside.
        folder.resolve().mkdir(mode=0o700, parents=True, exist_ok=True)  # logits and texts may be private data
    except OSError as error:
        raise InputError(f"cannot create {folder}: {error.strerror}") from error


def put_aside(folder: Path) -> Path:
    """Rename a sweep's folder to the first free `NAME.old-N`: nothing is ever deleted.

    Raises InputError while a driver is at work in it: it would go on writing into whatever comes next.
    """
    from filelock import FileLock, Timeout

    folder = folder.resolve()
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    try:
        with FileLock(folder / "journal.lock", timeout=0):
            folder.rename(aside)
    except Timeout:
        raise InputError(f"another greenexp run is writing {folder}; wait for it or stop it") from None
    except OSError as error:
        raise InputError(f"cannot put {folder} aside as {aside}: {error.strerror}") from error
    return aside


@contextmanager
def new_folder(place: Path) -> Iterator[Path]:
    """A draft of the folder `place`, which is there once the block has ended without an error, and else is not.

    Raises InputError where `place` holds something, and for an OSError.
    """
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise InputError(f"{place} holds something already: name another folder, or remove it")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".greenexp-", dir=place.parent) as scratch:
            draft = Path(scratch) / place.name
            draft.mkdir()
            yield draft
            if place.exists():
                place.rmdir()
            draft.rename(place)
    except OSError as error:
        raise InputError(f"cannot write the model to {place}: {error.strerror or error}") from error
