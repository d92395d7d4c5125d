"""Lines of a file or a pipe, in chunks of what is there: a file is read as it is answered, a pipe never waited for."""

from __future__ import annotations

import os
import select
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from greenexp.errors import InputError

STDIN = 0
BLOCK = 1 << 16


@contextmanager
def opened(given: str) -> Iterator[int]:
    """The file descriptor of the file that is named, or of stdin for `-`, which stays open.

    Raises InputError for what is not there, cannot be read or is a folder.
    """
    try:
        descriptor = STDIN if given == "-" else os.open(given, os.O_RDONLY)
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
    except OSError as error:
        raise InputError(f"cannot read {'stdin' if given == '-' else given}: {error.strerror}") from error
    try:
        if is_folder:
            raise InputError(f"cannot read {given}: it is a folder")
        yield descriptor
    finally:
        if descriptor != STDIN:
            os.close(descriptor)


class Lines:
    """The lines that come out of a file descriptor. Reading ends with the file; the descriptor stays open.

    max_bytes: of a line; a longer one is passed over, without being kept, and stands as None
    """

    def __init__(self, descriptor: int, max_bytes: int) -> None:
        self._descriptor, self._max_bytes = descriptor, max_bytes
        self._lines: deque[bytes | None] = deque()
        self._begun = bytearray()
        self._too_long = self._ended = False

    def chunks(self, most: int) -> Iterator[list[bytes | None]]:
        """At most `most` lines at a time, without their ends: as many as can be read now, and at least one.

        Of a file that is always `most`, so equal files give equal chunks; of a pipe what its writer has written.
        """
        while self._lines or not self._ended:
            while not self._ended and (not self._lines or (len(self._lines) < most and self._at_hand())):
                self._read()
            if self._lines:
                yield [self._lines.popleft() for _ in range(min(most, len(self._lines)))]

    def _at_hand(self) -> bool:
        return bool(select.select([self._descriptor], [], [], 0)[0])

    def _read(self) -> None:
        try:
            block = os.read(self._descriptor, BLOCK)
        except BlockingIOError:  # whoever shares the pipe has set it so
            select.select([self._descriptor], [], [])
            return
        if not block:
            self._ended = True
            if self._begun or self._too_long:  # the last line needs no end
                self._end_line()
            return
        first, *others = block.split(b"\n")
        self._extend(first)
        for part in others:
            self._end_line()
            self._extend(part)

    def _extend(self, part: bytes) -> None:
        if not self._too_long:
            self._begun += part
        if len(self._begun) > self._max_bytes:
            self._too_long = True
            self._begun.clear()

    def _end_line(self) -> None:
        self._lines.append(None if self._too_long else bytes(self._begun).removesuffix(b"\r"))
        self._begun.clear()
        self._too_long = False
