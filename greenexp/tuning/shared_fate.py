"""Trials that share a GPU through NVIDIA's MPS share a fate: a fatal fault of one ends them all.

Deaths that belong together become one event of the journal, and the trials are handed out again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from greenexp.errors import abridged
from greenexp.records.shared_failure import SharedFailure
from greenexp.tuning.conductor import Conductor
from greenexp.tuning.faults import Fault, fault_in

GATHERED_S, RECOVERING_S = 10.0, 60.0
"""How long an incident gathers deaths from its first one on; for how long after that its server may still recover."""

_TOLD = re.compile(r"SharedFaultError: (?P<device>[^:\n]+): (?P<text>[^\n]*)")


@dataclass(slots=True)
class _Incident:
    """Deaths on one device: trial -> (attempt, fault)."""

    began_s: float
    deaths: dict[str, tuple[int, Fault]] = field(default_factory=dict)


class SharedFate:
    """Gathers the deaths of one session into incidents. Trials of an open incident count as running.

    clock: seconds
    """

    def __init__(self, conductor: Conductor, clock: Callable[[], float] = time.monotonic) -> None:
        self._conductor, self._clock = conductor, clock
        self._open: dict[str, _Incident] = {}
        self._recovered_s: dict[str, float] = {}
        self._news = False

    def takes(self, trials: Sequence[str], attempts: Mapping[str, int], account: str) -> bool:
        """Take over the trials of a worker that died, if what Ray says of it tells of such a fault."""
        fault, told = fault_in(account), _TOLD.search(account)
        if fault is None:
            return False
        self._news = True
        device = told["device"] if told else next(iter(self._open), "a GPU")
        if told:
            fault = Fault(told["text"], fault.made)
        if device not in self._open and not fault.made and self._clock() < self._recovered_s.get(device, 0.0):
            for name in trials:
                self._hand_back(name, attempts[name], device, fault.text, blame=False)
            return True
        incident = self._open.setdefault(device, _Incident(self._clock()))
        incident.deaths.update({name: (attempts[name], fault) for name in trials})
        return True

    def has_news(self) -> bool:
        """Whether a worker has died of a fault since this was asked last.

        An idle worker has then lost its GPU too, though it says nothing of it, and MPS waits until it ends.
        """
        news, self._news = self._news, False
        return news

    def look(self, *, over: bool = False) -> None:
        """Close the incidents that have lasted long enough.

        over: all of them, as the session ends
        """
        held = {name for incident in self._open.values() for name in incident.deaths}
        alone = self._conductor.live <= held
        due = [
            device
            for device, incident in self._open.items()
            if over or alone or self._clock() - incident.began_s >= GATHERED_S
        ]
        for device in due:
            self._close(device, self._open.pop(device))

    def _close(self, device: str, incident: _Incident) -> None:
        made = {name for name, (_, fault) in incident.deaths.items() if fault.made}
        counted = made or set(incident.deaths)
        reason = next(fault.text for name, (_, fault) in incident.deaths.items() if name in counted)
        names = tuple(incident.deaths)
        found = SharedFailure(device, names, tuple(name for name in names if name in counted), reason)
        self._recovered_s[device] = self._clock() + RECOVERING_S
        self._conductor.write("shared_failure", **found.to_json())
        for name, (attempt, fault) in incident.deaths.items():
            self._hand_back(name, attempt, device, fault.text, blame=name in counted)

    def _hand_back(self, name: str, attempt: int, device: str, text: str, *, blame: bool) -> None:
        reason = f"a fault on {device} ended the trials there: {text}"
        beside = "" if blame else "; not counted as a failure of this trial"
        self._conductor.worker_died(name, attempt, abridged(reason) + beside, blame=blame)
