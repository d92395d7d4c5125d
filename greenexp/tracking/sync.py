"""Bringing MLflow level with a finished, broken off or still running sweep, at once and to the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import TrackingError
from greenexp.journal.file import NAME, read_events
from greenexp.tracking.follow import Follower, only_one
from greenexp.tracking.places import RecordPlace
from greenexp.tracking.server import redacted

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
    place, name = _recorded(folder)
    place = RecordPlace(uri or place.uri, experiment or place.experiment)
    follower = Follower(folder, place.uri, place.experiment)
    with only_one(folder, place.uri, LOCK_S):
        events = follower.read()
        follower.write_changes(with_sweep=True, with_report=True)
        follower.leave_earlier_places()
    trials = follower.tracked.state.trials.values()
    return SyncResult(
        uri=place.uri,
        experiment=place.experiment,
        sweep=name,
        events=events,
        trials=sum(trial.attempts > 0 for trial in trials),
        reports=sum(len(trial.reports) for trial in trials),
        remarks=tuple(follower.new_remarks()),
    )


def _recorded(folder: Path) -> tuple[RecordPlace, str]:
    """Where the sweep is recorded, and its name, read before anything is written anywhere."""
    header: Mapping[str, Any] | None = None
    for event in read_events(folder / NAME):
        header = event.data if event.kind == "sweep" else header
    if header is None:
        raise TrackingError(f"the journal in {folder} is empty: there is nothing to write to MLflow yet")
    return RecordPlace.recorded(header).seen_from(folder), str(header["name"])
