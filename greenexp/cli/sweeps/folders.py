"""The folder of a sweep that begins anew: what lies in it is put aside."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from greenexp.errors import InputError


def put_aside(folder: Path) -> Path:
    """Rename a sweep's folder to the first free `NAME.old-N`: nothing is ever deleted.

    Raises InputError while a driver is at work in it: it would go on writing into whatever comes next.
    """
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
