"""The lines of a journal and their checks: what was changed after it was written is found, and where.

Line i ends in a check c(i), a hash over the check of the line before it and its own other bytes:

    c(i) = BLAKE2b-64(c(i-1) || b(i)),    c(-1) empty,    b(i): the line up to its check

A changed, removed, inserted or moved line does not fit the check before it. Lines of earlier versions carry none: they
are taken into the chain as they are, so the first line with a check covers all lines before it. The hash has no key: it
finds damage and careless edits, and nobody's signature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from greenexp.errors import JournalError
from greenexp.journal.events import UNCHECKED_FORMAT, Event, parse_line

_BYTES = 8
_HEAD, _TAIL = b',"check":"', b'"}'
_LENGTH = len(_HEAD) + 2 * _BYTES + len(_TAIL)


@dataclass(slots=True)
class ChainedLines:
    """The place up to which a journal has been read or written.

    source: its name, for messages; number: of the next line, from 0; checked: whether the last line had a check
    """

    source: str
    number: int = 0
    checked: bool = False
    _chain: bytes = b""

    def read(self, raw: Iterable[bytes]) -> Iterator[Event]:
        """The events of further lines; a last line without its newline was torn by a crash and is left out.

        JournalError at the first line that is damaged or has been changed.
        """
        for line in raw:
            if line.endswith(b"\n"):
                yield self._event(line[:-1])
            else:
                self._refuse_changed_newline(line)

    def encoded(self, line: str) -> bytes:
        """The bytes of the next line, its newline and check included. `take` it once it is on disk."""
        # A worker's error may quote a file name that is not UTF-8; JSON has an escape for such characters, which a
        # reader finds as text.
        body = line.encode("utf-8", "backslashreplace")[:-1]
        return body + _HEAD + self._check(body) + _TAIL + b"\n"

    def take(self, line: bytes) -> Event:
        """The event of a line that `encoded` gave; from now on it is behind this place."""
        return self._event(line[:-1])

    def _event(self, line: bytes) -> Event:
        body, written = _split(line)
        check = self._check(line if written is None else body)
        event = parse_line(self._text(line), self.number, self.source, checked=written is not None)
        if written is None and (self.checked or (self.number == 0 and _is_of_checked_format(event))):
            raise JournalError(f"{self._place}: the line has lost its check: it has been changed since it was written")
        if written is not None and written != check:
            first = "" if self.checked else ", or one of the lines before it has"
            raise JournalError(
                f"{self._place}: the line has been changed since it was written{first}: its check does not fit"
            )
        self.number, self.checked, self._chain = self.number + 1, written is not None, check
        return event

    def _refuse_changed_newline(self, line: bytes) -> None:
        """A whole line with one byte after it is not torn: that byte was its newline."""
        body, written = _split(line[:-1])
        if written is not None and written == self._check(body):
            raise JournalError(f"{self._place}: the end of the line has been changed since it was written")

    def _text(self, line: bytes) -> str:
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise JournalError(f"{self._place}: the line is not JSON: byte {error.start + 1} is not UTF-8") from error

    def _check(self, body: bytes) -> bytes:
        return blake2b(self._chain + body, digest_size=_BYTES).hexdigest().encode()

    @property
    def _place(self) -> str:
        return f"{self.source}:{self.number + 1}"


def _split(line: bytes) -> tuple[bytes, bytes | None]:
    """A line without its check and closing brace, and the check; None where it has none."""
    if line.endswith(_TAIL) and line.startswith(_HEAD, len(line) - _LENGTH):
        return line[:-_LENGTH], line[-_LENGTH + len(_HEAD) : -len(_TAIL)]
    return line, None


def _is_of_checked_format(event: Event) -> bool:
    return event.kind == "sweep" and event.data["format"] > UNCHECKED_FORMAT
