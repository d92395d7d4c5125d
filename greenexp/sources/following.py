"""A sweep that another thread or process may be running, read again and again."""

from __future__ import annotations

from pathlib import Path

from greenexp.journal.state import SweepState
from greenexp.sources.folders import JOURNAL
from greenexp.sources.status import SweepStatus, sweep_status
from greenexp.tracking.tail import JournalTail


class FollowedSweep:
    """The state of the sweep in `folder`: each look reads what its journal has new, and no more.

    It shares nothing with a driver, also in one process, and is not to be used by two threads at once. A folder
    without a journal is one that has not begun; where another journal was put into its place, that one is read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tail, self._state = JournalTail(folder), SweepState()
        self._read: int | None = None

    def state(self) -> SweepState:
        """The state as of now; the same object grows with each look. JournalError where the journal is damaged."""
        file = self._file()
        if file != self._read:
            self._tail, self._state, self._read = JournalTail(self.folder), SweepState(), file
        for event in self._tail.new_events():
            self._state.apply(event)
        return self._state

    @property
    def lines(self) -> int:
        """How many events have been read."""
        return self._state.lines

    def status(self) -> SweepStatus:
        """The status as of now."""
        return sweep_status(self.state(), self.folder)

    def _file(self) -> int | None:
        """What tells the journal from another one of its name."""
        try:
            return (self.folder / JOURNAL).stat().st_ino
        except OSError:
            return None
