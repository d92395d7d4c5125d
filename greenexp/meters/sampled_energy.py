"""A trial's energy as the sampler of its node divides it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from greenexp.meters.energy import EnergyReading, MeterError
from greenexp.meters.sampling import Entry, TakenEnergy, TrialShares
from greenexp.records.energy import EnergyMethod

_LOOK_EVERY_S, _MOST_LOOKS = 0.05, 20


class SamplerAccess(Protocol):
    """The way to a node's sampler, which may be in another process. Every call may raise MeterError."""

    def enter(self, shares: TrialShares) -> Entry:
        """See `NodeSampler.enter`."""

    def take(self, number: int) -> TakenEnergy:
        """See `NodeSampler.take`."""

    def leave(self, number: int) -> None:
        """See `NodeSampler.leave`."""


class SampledEnergy:
    """Energy of consecutive windows of one trial; a `TrialEnergy`.

    A window in which the sampler could not be asked, or lost its count, has no energy; the next one begins anew.
    """

    def __init__(self, sampler: SamplerAccess, shares: TrialShares) -> None:
        self._sampler, self._shares = sampler, shares
        self._entry: Entry | None = None
        self._before: Mapping[str, int] = {}
        self._newest: Mapping[str, int] | None = None
        self._method: EnergyMethod | None = None
        self._broken = ""
        self._is_waited_for = False

    def start(self, now_s: float) -> None:  # noqa: ARG002
        """Begin a window, at the last reading if there is one."""
        broken, self._broken = self._broken, ""
        newest, self._newest = self._newest, None
        try:
            if self._entry is None or broken:
                self._entry = self._sampler.enter(self._shares)
                self._before = {}
            elif newest is not None:
                self._before = newest
            else:
                self._before = self._sampler.take(self._entry.number).energy_uj
        except MeterError as error:
            self._broken = str(error)

    def keep_up(self, now_s: float) -> None:
        """The sampler does."""

    def read(self, now_s: float) -> EnergyReading:  # noqa: ARG002
        """The energy since `start`."""
        if self._broken or self._entry is None:
            return EnergyReading(None, {"energy_j": self._broken or "no window has begun"})
        missing = self._entry.missing
        try:
            taken = self._moved(self._entry)
        except MeterError as error:
            self._broken = str(error)
            return EnergyReading(None, {"energy_j": self._broken})
        self._newest = taken.energy_uj
        if taken.hole:
            return EnergyReading(None, {"energy_j": taken.hole})
        if not taken.energy_uj:
            return EnergyReading(None, {"energy_j": "; ".join(f"{what}: {why}" for what, why in missing.items())})
        self._method = taken.method or self._method  # a counter that stands still moves in the next window
        if self._method is None:
            return EnergyReading(None, {"energy_j": "the counter did not move in this window, which was too short"})
        used_uj = sum(taken.energy_uj.values()) - sum(self._before.get(name, 0) for name in taken.energy_uj)
        reasons = {f"energy_j.{what}": why for what, why in missing.items()}
        return EnergyReading(used_uj * 1e-6, reasons, self._method)

    def _moved(self, entry: Entry) -> TakenEnergy:
        """What the trial has used; of its first window as soon as the counter has moved, as it may be a short one.

        A trial that is saved within its first epoch reads its meters then: without an energy of this window none of the
        epoch would be known. Once only: a counter that never moves is not waited for again.
        """
        taken = self._sampler.take(entry.number)
        for _ in range(0 if self._is_waited_for else _MOST_LOOKS):
            if taken.hole or not taken.energy_uj or taken.method is not None:
                break
            time.sleep(_LOOK_EVERY_S)
            taken = self._sampler.take(entry.number)
        self._is_waited_for = True
        return taken

    def close(self) -> None:
        """Leave the sampler."""
        entry, self._entry = self._entry, None
        if entry is not None:
            try:
                self._sampler.leave(entry.number)
            except MeterError as error:
                self._broken = str(error)
