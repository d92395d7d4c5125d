"""Where a sweep is recorded, and where it was recorded before: a resumed sweep may name another address or experiment.

Then its record goes on at the new place, where it is whole, and ends at the old one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.journal.file import NAME
from greenexp.records.addresses import without_password
from greenexp.tracking import names
from greenexp.tracking.runs import FINAL, find_runs, key_of
from greenexp.tracking.server import (
    connect_existing,
    default_uri,
    failures_as,
    redacted,
    refuse_network_database,
    sqlite_file,
    sqlite_uri,
)


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """An experiment at an MLflow address. uri: "" is the database in the sweep's folder."""

    uri: str
    experiment: str

    @classmethod
    def recorded(cls, header: Mapping[str, Any]) -> RecordPlace:
        """The place that a `sweep` line of a journal names."""
        settings = header["spec"].get("tracking") or {}
        return cls(settings.get("uri") or "", str(settings.get("experiment") or header["name"]))

    def seen_from(self, folder: Path) -> RecordPlace:
        """The place that the record of the sweep in `folder` means."""
        return RecordPlace(recorded_uri(folder, self.uri or None), self.experiment)

    def same_as(self, other: RecordPlace) -> bool:
        """Whether both mean one experiment, as far as the addresses show it."""
        return self.experiment == other.experiment and _told_apart(self.uri) == _told_apart(other.uri)

    def __str__(self) -> str:
        return f"experiment '{self.experiment}' at {redacted(self.uri)}"


def leave(
    place: RecordPlace,
    now: RecordPlace,
    sweep_id: str,
    time_ms: int,
    current: Collection[str],
    pause: Callable[[], None],
) -> None:
    """End the sweep's runs at `place`, and say on each where the sweep is recorded now; a second time changes nothing.

    time_ms: when it went on elsewhere; current: ids of its runs there, should both be one place under two addresses
    Raises TrackingError if MLflow does not answer there any more.
    """
    file = sqlite_file(place.uri)
    if file is not None and not file.is_file():
        return  # nothing was ever written, or its folder is gone
    refuse_network_database(place.uri)
    client = connect_existing(place.uri)
    with failures_as(place.uri):
        experiment = client.get_experiment_by_name(place.experiment)
        for run in [] if experiment is None else find_runs(client, [experiment.experiment_id], sweep_id):
            if run.info.run_id in current or run.data.tags.get(names.CONTINUED) == str(now):
                continue
            pause()
            if run.info.status not in FINAL:
                client.set_terminated(run.info.run_id, status="KILLED", end_time=max(time_ms, run.info.start_time))
                if names.STATUS in run.data.tags:
                    client.set_tag(run.info.run_id, names.STATUS, names.CONTINUED_STATUS)
            client.set_tag(run.info.run_id, names.CONTINUED, str(now))


def without_continued(runs: Iterable[Any]) -> list[Any]:
    """MLflow's runs without those of sweeps that are recorded elsewhere among them now."""
    listed = list(runs)
    current = {_identity(run) for run in listed if names.CONTINUED not in run.data.tags}
    return [run for run in listed if names.CONTINUED not in run.data.tags or _identity(run) not in current]


def _identity(run: Any) -> tuple[str | None, Any]:
    return run.data.tags.get(names.SWEEP_ID), key_of(run.data.tags)


def _told_apart(uri: str) -> str:
    file = sqlite_file(uri)
    return without_password(uri).rstrip("/") if file is None else str(file.resolve())


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
