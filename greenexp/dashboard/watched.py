"""The sweeps in folders as a dashboard watches them: what a journal has new is read, and no more."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenexp.errors import GreenexpError
from greenexp.sources.folders import JOURNAL
from greenexp.sources.following import FollowedSweep
from greenexp.sources.status import SweepStatus


@dataclass(frozen=True)
class SeenFolder:
    """A sweep's folder as of a stamp, which is another one as soon as its journal has something new.

    status: None where the journal cannot be read; facts: what a list of sweeps says of it
    """

    stamp: str
    status: SweepStatus | None
    facts: dict[str, Any]


class WatchedFolders:
    """What was seen of each folder. Used from several threads.

    The state of a sweep, which is large, is kept of those alone that have grown while they were watched and have not
    finished; of the others only what was seen.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, SeenFolder] = {}
        self._followed: dict[Path, FollowedSweep] = {}
        self._lock = threading.Lock()

    def look(self, folder: Path) -> SeenFolder | None:
        """The sweep in a folder as of now; None where it is gone."""
        with self._lock:
            try:
                stat = (folder / JOURNAL).stat()
            except OSError:  # it was moved away meanwhile
                self._seen.pop(folder, None)
                self._followed.pop(folder, None)
                return None
            stamp, known = f"{stat.st_size}-{stat.st_mtime_ns}", self._seen.get(folder)
            if known is None or known.stamp != stamp:
                self._seen[folder] = known = self._read(folder, stamp, grows=known is not None)
            return known

    def _read(self, folder: Path, stamp: str, *, grows: bool) -> SeenFolder:
        followed = self._followed.pop(folder, None) or FollowedSweep(folder)
        try:
            state, status = followed.state(), followed.status()
        except GreenexpError as error:
            return SeenFolder(stamp, None, {"name": folder.name, "state": "not readable", "problem": str(error)})
        if grows and not state.complete:
            self._followed[folder] = followed
        began = {"metric": state.spec.metric.name, "start_s": state.began} if state.header else {}
        return SeenFolder(stamp, status, {**_facts(status, folder.name), **began})


def _facts(status: SweepStatus, name: str) -> dict[str, Any]:
    counts = dict(status.trials)
    return {
        "name": status.name or name,
        "state": status.state.partition(":")[0],
        "trials": sum(counts.values()),
        **{word: counts.get(word, 0) for word in ("finished", "stopped", "failed", "running")},
        "best": None if status.best is None else status.best.score,
        "metric": "",
        "start_s": None,
    }
