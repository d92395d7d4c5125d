"""Following a journal that another thread or process writes."""

from __future__ import annotations

import copy
import io
from pathlib import Path

from greenexp.errors import JournalError
from greenexp.journal.events import Event
from greenexp.journal.file import NAME
from greenexp.journal.lines import ChainedLines


class JournalTail:
    """Reads a sweep's journal from the start, then what is added. Read-only, and needs no lock.

    A last line without its newline is still being written, or was torn by a crash: it is read once it is whole.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._offset = 0
        self._lines = ChainedLines(self.path.name)

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
        lines = copy.copy(self._lines)  # damage is found again at the next call
        events = list(lines.read(io.BytesIO(content)))
        self._offset += content.rfind(b"\n") + 1
        self._lines = lines
        return events
