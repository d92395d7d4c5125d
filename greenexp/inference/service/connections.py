"""Connections of the service: how many there may be, and how long a request may take to begin.

uvicorn ends a connection that is idle after an answer, and waits for the head of a request (its request line and
headers) for ever. Clients that never end theirs would hold one file descriptor after another, until nobody is let in.
"""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

AT_ONCE = 16
"""Connections that asyncio accepts in one turn of its loop."""
TURNS = 6
"""Turns of the loop from the one that accepts a connection to the one in which it may be closed again."""
SPARE = 32
"""File descriptors kept for everything else."""
LEAST = 8


def most_connections() -> int:
    """Connections that this process can hold open at a time: what its limit of file descriptors leaves."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        limit = 1_048_576
    return max(LEAST, limit - len(list(Path("/proc/self/fd").iterdir())) - TURNS * AT_ONCE - SPARE)


def bounded_protocol(head_s: float, most: int) -> type[asyncio.Protocol]:
    """The protocol of uvicorn, with limits.

    head_s: seconds that the head of a request may take, from the connection's begin or, of a later request, its first
        byte; most: open connections, beyond which the one that has waited longest for a head is closed, or the new one
        if all others have a request that is being answered
    """

    class BoundedProtocol(H11Protocol):
        began = 0.0
        _deadline: asyncio.TimerHandle | None = None

        @property
        def waiting(self) -> bool:
            """Whether the next thing to come is the head of a request."""
            return bool(self.conn.their_state is h11.IDLE)

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._await_head()
            if len(self.connections) > most:
                others = (cast(BoundedProtocol, each) for each in self.connections)
                waiting = (each for each in others if each.waiting and not each.transport.is_closing())
                min(waiting, key=lambda each: each.began, default=self).transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self.waiting:
                self._forget_deadline()
            elif self._deadline is None:
                self._await_head()

        def on_response_complete(self) -> None:
            self.began = self.loop.time()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_deadline()
            super().connection_lost(exc)

        def _await_head(self) -> None:
            self.began = self.loop.time()
            self._deadline = self.loop.call_later(head_s, self.transport.abort)

        def _forget_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return BoundedProtocol
