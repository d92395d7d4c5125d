"""Bringing MLflow level with a finished, broken off or still running sweep, at once and to the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME, read_events
from greenexp.tracking.follow import Follower, only_one
from greenexp.tracking.server import default_uri, redacted, sqlite_file, sqlite_uri

LOCK_S = 5.0


@dataclass(frozen=True, slots=True)
class SyncResult:
    """Where a sweep is now recorded, and what was read from its journal.

    remarks: what the user should know of what was written
    """

    uri: str
    experiment: str
    sweep: str
    events: int
    trials: int
    reports: int
    remarks: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """`uri` as it may be shown: without a password."""
        return redacted(self.uri)


def sync(folder: Path, uri: str | None = None, experiment: str | None = None) -> SyncResult:
    """Bring MLflow level with the journal in `folder`, and with its report; doing it again changes nothing.

    uri, experiment: by default those of the sweep file, else the database in `folder` and the sweep's name.
    Raises JournalError if there is no readable journal, TrackingError if MLflow cannot be written or another process
    is at it.
    """
    header = _header(folder)
    settings = header["spec"].get("tracking") or {}
    uri = uri or recorded_uri(folder, settings.get("uri"))
    experiment = experiment or settings.get("experiment") or str(header["name"])
    follower = Follower(folder, uri, experiment)
    with only_one(folder, uri, LOCK_S):
        events = follower.read()
        follower.write_changes(with_sweep=True, with_report=True)
    trials = follower.tracked.state.trials.values()
    return SyncResult(
        uri=uri,
        experiment=experiment,
        sweep=str(header["name"]),
        events=events,
        trials=sum(trial.attempts > 0 for trial in trials),
        reports=sum(len(trial.reports) for trial in trials),
        remarks=tuple(follower.new_remarks()),
    )


def recorded_uri(folder: Path, recorded: str | None) -> str:
    """The address that the record of the sweep in `folder` means.

    A recorded database file is this folder's own where it was made beside the journal and the folder has been copied or
    moved since: where the same journal lies beside it, or where its folder is gone and a file of its name lies here.
    recorded: of the sweep file; None: the database in `folder`
    """
    file = None if recorded is None else sqlite_file(recorded)
    if file is None:
        return recorded or default_uri(folder)
    own = folder / file.name
    elsewhere = file.parent.resolve() != folder.resolve()
    if elsewhere and (_same_sweep(folder, file.parent) or (own.is_file() and not file.parent.exists())):
        return sqlite_uri(own)
    return str(recorded)


def _same_sweep(folder: Path, other: Path) -> bool:
    """Whether the journals in two folders begin with the same line, which names a sweep and when it began."""
    first = []
    for journal in (folder / NAME, other / NAME):
        try:
            with journal.open("rb") as file:
                first.append(file.readline())
        except OSError:
            return False
    return bool(first[0]) and first[0] == first[1]


def _header(folder: Path) -> dict[str, Any]:
    """The first event's data, read before anything is written anywhere."""
    for event in read_events(folder / NAME):
        return dict(event.data)
    raise TrackingError(f"the journal in {folder} is empty: there is nothing to write to MLflow yet")
