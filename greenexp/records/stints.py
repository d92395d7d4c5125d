"""When trials held workers, and when drivers were at work."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.records.progress import Epochs

DRIVER_ENDED = "driver ended"
"""How a stint ended whose driver died, or closed the sweep, without a word on it."""


@dataclass(frozen=True, slots=True)
class Stint:
    """One stay of a trial at a worker: from the time it got one until it left it.

    attempt, after: as of the journal's event `started`; began_s, ended_s: since the sweep began, with the time between
        sessions; ended_s is None while it lasts
    end: finished, stopped, paused, failed, interrupted or `DRIVER_ENDED`; "" while it lasts
    beside: the other seeds of its configuration that the worker trained with it, as one model
    """

    trial: str
    attempt: int
    after: Epochs
    began_s: float
    ended_s: float | None = None
    end: str = ""
    beside: tuple[str, ...] = ()

    @property
    def together(self) -> tuple[str, ...]:
        """All trials of its worker, in the order of their names."""
        return tuple(sorted({self.trial, *self.beside}))


@dataclass(frozen=True, slots=True)
class SessionSpan:
    """One driver's life. number: from 1; began_s, last_s: its first and latest event, since the sweep began.

    closed: how it ended (finished, limit, interrupted), None if it has not said so: it is at work, or died
    """

    number: int
    began_s: float
    last_s: float
    closed: str | None = None
