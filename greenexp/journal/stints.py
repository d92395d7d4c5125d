"""Which trial held a worker from when to when, told by the journal's events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from greenexp.journal.events import Event
from greenexp.records.decision import Action
from greenexp.records.stints import DRIVER_ENDED, Stint


class StintLog:
    """The stints so far, in the order in which they began; times are those of the events.

    A stint ends with the trial's last report, or when it is paused, ends, or is stopped. A stint whose driver died ends
    with the last event of that driver's session.
    """

    def __init__(self) -> None:
        self._stints: list[Stint] = []
        self._open: dict[str, int] = {}
        self._last: dict[str, Stint] = {}
        self._left: set[str] = set()
        self._latest = 0.0

    def apply(self, event: Event) -> None:
        """Take in the next event."""
        handler: Callable[[Event], None] | None = getattr(self, f"_on_{event.kind}", None)
        if handler is not None:
            handler(event)
        self._latest = max(self._latest, event.time)

    def sharing(self, trial: str) -> int:
        """Trials that have, or had when it died, the worker of a trial's latest stint; 1 where it was alone.

        Seeds that are trained as one model die together; one that failed, or was trained to the end, has left before.
        """
        last = self._last.get(trial)
        together = last.together if last else ()
        there = [n for n in together if n not in self._left and n in self._last and self._last[n].together == together]
        return max(1, len(there))

    def since(self, began: float) -> tuple[Stint, ...]:
        """All stints, with times since `began`."""
        return tuple(
            dataclasses.replace(
                stint,
                began_s=stint.began_s - began,
                ended_s=None if stint.ended_s is None else stint.ended_s - began,
            )
            for stint in self._stints
        )

    def _on_session(self, _event: Event) -> None:
        for trial in tuple(self._open):
            self._close(trial, self._latest, DRIVER_ENDED)

    def _on_started(self, event: Event) -> None:
        trial = event.data["trial"]
        self._close(trial, event.time, DRIVER_ENDED)
        self._open[trial] = len(self._stints)
        data, beside = event.data, tuple(event.data.get("beside", ()))
        self._last[trial] = Stint(trial, data["attempt"], data["after"], event.time, beside=beside)
        self._left.discard(trial)
        self._stints.append(self._last[trial])

    def _on_report(self, event: Event) -> None:
        if event.data["record"].get("last"):
            self._leave(event.data["trial"], event.time, "finished")

    def _on_paused(self, event: Event) -> None:
        self._leave(event.data["trial"], event.time, "paused")

    def _on_decision(self, event: Event) -> None:
        if event.data["action"] == Action.STOP.value:
            self._leave(event.data["trial"], event.time, "stopped")

    def _on_ended(self, event: Event) -> None:
        trial, status = event.data["trial"], event.data["status"]
        if event.data.get("lost") is None:  # its worker died, and could tell nothing
            self._close(trial, event.time, status)
        else:
            self._leave(trial, event.time, status)

    def _leave(self, trial: str, time: float, end: str) -> None:
        """End the trial's stint at a worker that lives on."""
        self._left.add(trial)
        self._close(trial, time, end)

    def _close(self, trial: str, time: float, end: str) -> None:
        """End the trial's stint, if one is open."""
        place = self._open.pop(trial, None)
        if place is not None:
            self._stints[place] = dataclasses.replace(self._stints[place], ended_s=time, end=end)
