"""Which sweep folder a command means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from filelock import FileLock, Timeout

from greenexp.errors import InputError

JOURNAL = "journal.jsonl"
DEFAULT = Path("out")


def sweep_folder(given: str | None) -> Path:
    """The folder the user named, or the only sweep under `out/`. InputError lists what there is."""
    if given is not None:
        folder = Path(given)
        if not (folder / JOURNAL).is_file():
            raise InputError(f"{folder} holds no sweep (there is no {JOURNAL} in it)")
        return folder
    found = sorted(path.parent for path in DEFAULT.glob(f"*/{JOURNAL}"))
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"there is no sweep under {DEFAULT}/: name its folder, or begin with `greenexp run smoke`")
    raise InputError(f"there are several sweeps, name one of them: {', '.join(map(str, found))}")


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


def print_json(data: Any) -> None:
    """Data for programs, on stdout; what was not measured is null."""
    click.echo(json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False, default=str))
