"""The journal file: one JSON line per event, on disk before anything acts on it."""

from __future__ import annotations

import contextlib
import copy
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from greenexp.durable import sync_folder
from greenexp.errors import JournalError
from greenexp.journal.events import NAME, OWN, Event
from greenexp.journal.lines import ChainedLines

__all__ = ["NAME", "Journal", "read_events"]


def read_events(path: Path) -> Iterator[Event]:
    """The events of a journal, oldest first.

    A last line without its newline was torn by a crash and is left out; damage anywhere else raises JournalError.
    """
    yield from _events(path, ChainedLines(path.name))


def _events(path: Path, lines: ChainedLines) -> Iterator[Event]:
    try:
        with path.open("rb") as file:
            yield from lines.read(file)
    except FileNotFoundError:
        raise JournalError(f"there is no journal at {path}") from None
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror}") from error


class Journal:
    """The one writer of a journal, held under a lock for as long as it is open.

    Every `append` is on disk when it returns (fsync), so whoever acts on an event can be killed at any time. A torn
    last line is cut off when the journal is opened; `torn_b` is its length in bytes. Times of events only ever grow,
    whatever is done to the machine's clock: their differences are durations, and they order the events.
    """

    def __init__(self, path: Path, clock: Callable[[], float] | None = None) -> None:
        self.path = path
        self._clock = clock or steady_clock()
        self._ahead_s = 0.0
        self._lock = FileLock(path.with_suffix(".lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise JournalError(f"another greenexp run is writing {path}; wait for it or stop it") from None
        except OSError as error:
            raise JournalError(f"cannot write in {path.parent}: {error.strerror}") from error
        self._lines = ChainedLines(path.name)
        try:
            self.events: list[Event] = list(_events(path, self._lines)) if path.exists() else []
            self._count, self._keeps = len(self.events), True
            self._last_s = self.events[-1].time if self.events else None
            self._file = _opened(path)
            self.torn_b = self._cut_torn_line()
            sync_folder(path.parent)
        except OSError as error:
            self._lock.release()
            raise JournalError(f"cannot open {path}: {error.strerror}") from error
        except JournalError:
            self._lock.release()
            raise

    def append(self, kind: str, **data: Any) -> Event:
        """Write one event and return it once it is on disk; JournalError if the disk refuses it or JSON cannot say it.

        After a refusal nothing more is written: a half-written line must stay the last one.
        """
        if self._file.closed:
            raise JournalError(f"{self.path} is closed")
        line, event, lines = self._next(kind, data)
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._abandon()
            raise JournalError(
                f"cannot write {self.path}: {error.strerror}. What was written before is safe: "
                "make room, then continue with --resume"
            ) from error
        self._lines = lines
        self._count, self._last_s = self._count + 1, event.time
        if self._keeps:
            self.events.append(event)
        return event

    def forget(self) -> None:
        """Keep no events in memory from now on: a long sweep has many, and whoever replays them has done so."""
        self._keeps = False
        self.events.clear()

    def now(self) -> float:
        """The time the next event would carry, never before that of the last one."""
        time_s = self._clock() + self._ahead_s
        last_s = time_s if self._last_s is None else self._last_s
        if time_s < last_s:  # the clock has been set back since the last session: this one counts on from its end
            self._ahead_s += last_s - time_s
        return round(max(time_s, last_s), 6)

    def close(self) -> None:
        """Close the file and let others write."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self, kind: str, data: Mapping[str, Any]) -> tuple[bytes, Event, ChainedLines]:
        """The next line, what a reader will find in it, to the digit, and the place behind it.

        JournalError for what JSON cannot say, and for what no reader would accept.
        """
        try:
            if OWN & data.keys():
                raise ValueError(f"{', '.join(sorted(OWN & data.keys()))} is what every line has")
            line = self._lines.encoded(Event(self._count, self.now(), kind, data).to_line())
        except (ValueError, TypeError) as error:
            raise JournalError(f"an event '{kind}' cannot be recorded: {error}") from error
        behind = copy.copy(self._lines)
        return line, behind.take(line), behind

    def _cut_torn_line(self) -> int:
        """Drop what follows the last newline, else the next event would be glued to half an event; its length."""
        content = self._file.read()
        end = content.rfind(b"\n") + 1
        if end != len(content):
            self._file.truncate(end)
        self._file.seek(end)
        return len(content) - end

    def _abandon(self) -> None:
        """Close without raising again: the buffered rest of a refused line cannot be flushed either."""
        with contextlib.suppress(OSError):
            self._file.close()


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970 by the clock as it stands now, and from now on by how much time passes, sleep included."""
    began, at = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return lambda: began + (time.clock_gettime(time.CLOCK_BOOTTIME) - at)


def _opened(path: Path) -> BinaryIO:
    """The file for reading and writing; a new one is for the user alone, as it may name private data."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
