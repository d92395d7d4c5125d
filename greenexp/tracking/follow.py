"""One journal, one MLflow experiment, one process at a time that brings the latter level with the former."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from greenexp.errors import TrackingError
from greenexp.records.addresses import without_password
from greenexp.tracking.artifacts import settle_artifacts
from greenexp.tracking.places import RecordPlace, leave
from greenexp.tracking.run_writer import RunWriter
from greenexp.tracking.server import connect, failures_as, prepare
from greenexp.tracking.tail import JournalTail
from greenexp.tracking.tracked_sweep import TrackedSweep


@contextlib.contextmanager
def only_one(folder: Path, uri: str, timeout_s: float) -> Iterator[None]:
    """Hold the right to write this sweep into this MLflow; TrackingError if another process keeps it.

    Two that look for a run, find none and make it would double it. The lock ends with the process.
    """
    name = hashlib.sha256(without_password(uri).encode()).hexdigest()[:8]
    try:
        with FileLock(folder / f"tracking-{name}.lock", timeout=timeout_s):
            yield
    except Timeout:
        raise TrackingError(
            f"another greenexp process is writing {folder} to this MLflow already; it will bring it level"
        ) from None
    except OSError as error:
        raise TrackingError(f"cannot write in {folder}: {error.strerror}") from error


@dataclass(slots=True)
class Follower:
    """A journal's reader and MLflow's writer together; connects when first needed.

    pause: called between MLflow calls; may raise to give up
    leads: the sweep is run in this folder, by this process
    """

    folder: Path
    uri: str
    experiment: str | None
    pause: Callable[[], None] = lambda: None
    leads: bool = False
    tracked: TrackedSweep = field(default_factory=TrackedSweep)
    _tail: JournalTail | None = None
    _writer: RunWriter | None = None
    _left: bool = False
    _remarks: list[str] = field(default_factory=list)

    def read(self) -> int:
        """Take in what the journal has new; returns the number of events."""
        if self._tail is None:
            self._tail = JournalTail(self.folder)
        return self.tracked.take(self._tail.new_events())

    def write_changes(self, *, with_sweep: bool, with_report: bool = False) -> None:
        """Bring MLflow level with what was read; nothing to do before the journal names its sweep.

        with_report: also log the report that lies in `folder`
        """
        if not self.tracked.sweep_id:
            return
        with failures_as(self.uri):
            if self._writer is None:
                self._writer = self._connected()
            self._writer.write_changes(with_sweep=with_sweep, with_report=with_report)

    def leave_earlier_places(self) -> None:
        """End the runs where the sweep was recorded before it was recorded here; once, and after this place is level.

        A server that is gone costs a remark. Nothing is done for a place that the journal does not name last.
        """
        if self._left or self._writer is None:
            return
        self._left = True
        now = RecordPlace(self.uri, self.experiment or str(self.tracked.state.header["name"]))
        places = [RecordPlace.recorded(header).seen_from(self.folder) for _, header in self.tracked.headers]
        if not places or not places[-1].same_as(now):
            return
        begun = next((number for number in range(len(places), 0, -1) if not places[number - 1].same_as(now)), 0)
        since_ms = round(self.tracked.headers[begun][0] * 1000)
        for place in dict.fromkeys(place for place in places if not place.same_as(now)):
            try:
                leave(place, places[-1], self.tracked.sweep_id, since_ms, self._writer.run_ids, self.pause)
            except TrackingError as error:
                self._remarks.append(f"still has runs in {place} that go on in {places[-1]}: {error}")

    def new_remarks(self) -> list[str]:
        """What the user should know of what was written since the last call."""
        remarks, self._remarks = self._remarks, []
        return remarks if self._writer is None else [*self._writer.new_remarks(), *remarks]

    def _connected(self) -> RunWriter:
        experiment = self.experiment or str(self.tracked.state.header["name"])
        experiment_id = prepare(self.uri, experiment)
        settle_artifacts(self.uri)
        return RunWriter(connect(self.uri), experiment_id, self.tracked, self.pause, self.folder, leads=self.leads)
