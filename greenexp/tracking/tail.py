"""Following a journal that another thread or process writes."""

from __future__ import annotations

import io
from pathlib import Path

from greenexp.errors import JournalError
from greenexp.journal.events import Event, parse_line
from greenexp.journal.file import NAME


class JournalTail:
    """Reads a sweep's journal from the start, then what is added. Read-only, and needs no lock.

    A last line without its newline is still being written, or was torn by a crash: it is read once it is whole.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._offset = 0
        self._number = 0

    def new_events(self) -> list[Event]:
        """The events since the last call; none while there is no journal yet. JournalError where it is damaged."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(f"cannot read {self.path}: {error.strerror}") from error
        events: list[Event] = []
        offset = self._offset
        for raw in io.BytesIO(content):
            if not raw.endswith(b"\n"):
                break
            text = raw.decode("utf-8", errors="replace")
            events.append(parse_line(text, self._number + len(events), self.path.name))
            offset += len(raw)
        self._offset, self._number = offset, self._number + len(events)
        return events
