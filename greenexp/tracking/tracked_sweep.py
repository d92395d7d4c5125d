"""What a journal says about a sweep, with the few things MLflow needs that `SweepState` does not keep."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from greenexp.journal.events import Event
from greenexp.journal.state import SweepState, TrialState
from greenexp.tracking.names import CONFIGURATION, SWEEP, TRIAL

RunKey = tuple[str, str]
"""(role, name): ("trial", "c003-i1-o0"). The sweep's own run has the empty name."""
SWEEP_KEY: RunKey = (SWEEP, "")


@dataclass(slots=True)
class Seen:
    """When a trial was first and last heard of (seconds since the epoch)."""

    first: float
    last: float


@dataclass(slots=True)
class TrackedSweep:
    """A sweep as recorded so far; `dirty` holds the runs whose content may have changed since it was last emptied.

    first_settings: a trial's settings as first planned: MLflow refuses to change a parameter
    headers: of each `sweep` line the time and what it says, but of those that say that MLflow is not written
    seen: only trials that something happened to; a trial that is merely planned has no run of its own
    """

    state: SweepState = field(default_factory=SweepState)
    sweep_id: str = ""
    first_settings: dict[str, Any] = field(default_factory=dict)
    headers: list[tuple[float, Mapping[str, Any]]] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    dirty: set[RunKey] = field(default_factory=set)

    def take(self, events: Iterable[Event]) -> int:
        """Take in the next events; returns how many there were."""
        count = 0
        for event in events:
            count += 1
            if not self.sweep_id and event.kind == "sweep":
                self.sweep_id = hashlib.sha256(event.to_line().encode("utf-8", "backslashreplace")).hexdigest()[:16]
            self.state.apply(event)
            self._note(event)
        return count

    def _note(self, event: Event) -> None:
        if event.kind == "sweep" and (event.data["spec"].get("tracking") or {}).get("enabled", True):
            self.headers.append((event.time, event.data))
        if event.kind in {"sweep", "earlier", "limit", "proposal", "search_done", "energy", "measured"}:
            self.dirty.add(SWEEP_KEY)
        elif event.kind == "trial":
            spec = self.state.trials[event.data["spec"]["trial"]].spec
            self.first_settings.setdefault(spec.trial, spec.settings)
            self.dirty.add(SWEEP_KEY)
            if spec.trial in self.seen:
                self._touch(spec.trial)
        elif event.kind in {"session", "closed", "replay"}:
            self.touch_all()
        elif event.kind == "shared_failure":  # its trials' own lines come with it
            self.dirty.add(SWEEP_KEY)
        else:
            name = event.data["trial"]
            seen = self.seen.setdefault(name, Seen(event.time, event.time))
            if event.kind != "held_out":  # it comes long after the trial ended, and is no part of it
                seen.last = event.time
            self._touch(name)

    def _touch(self, trial: str) -> None:
        self.dirty |= {(TRIAL, trial), (CONFIGURATION, self.state.trials[trial].spec.configuration)}

    def touch_all(self) -> None:
        """Everything may have changed."""
        self.dirty.add(SWEEP_KEY)
        for trial in self.seen:
            self._touch(trial)

    def has(self, key: RunKey) -> bool:
        """Whether the journal knows a run of this key: the sweep's own, and those that something happened to."""
        role, name = key
        if role == TRIAL:
            return name in self.seen
        return role != CONFIGURATION or bool(self.members(name))

    @property
    def live(self) -> bool:
        """True while a driver has not ended in good order."""
        return bool(self.state.sessions) and self.state.sessions[-1].closed is None

    def members(self, configuration: str) -> list[TrialState]:
        """The trials of a configuration that something happened to, in the order they were planned."""
        names = self._by_configuration().get(configuration, ())
        return [self.state.trials[name] for name in names]

    def _by_configuration(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in self.seen:
            found.setdefault(self.state.trials[name].spec.configuration, []).append(name)
        return found
