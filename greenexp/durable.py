"""Files that are whole under their names after a power cut, or not there, and as readable as the user's umask says."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file: on disk under a name that begins with a dot, then renamed, then its folder on disk too.

    Raises OSError where the disk does not take it; nothing of the attempt then stays, and an older file does.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")  # hosts may share folder and process ids
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_folder(path.parent)


def move_whole(files: Sequence[Path], folder: Path, mode: int) -> None:
    """Put finished files into `folder` in their order: all of them on disk, then renamed, then the folder on disk.

    mode: their permissions
    """
    for file in files:
        file.chmod(mode)
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for file in files:
        file.replace(folder / file.name)
    sync_folder(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, so that their names are on disk too; nothing if it is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Put the names of a folder's files on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
