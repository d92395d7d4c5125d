"""The interfaces of energy counters and of a trial's energy, and the energy of a trial that has its devices alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from greenexp.records.energy import EnergyMethod

CPU, GPU = "cpu_package", "gpu"
"""What a counter may cover."""
SHARED = "shared with other trials, and this one runs outside a sweep, which would divide it"


class MeterError(Exception):
    """A counter cannot be read; the text says why. Stays inside this room: it becomes a reason."""


class EnergySource(Protocol):
    """A counter of energy, of all its devices together.

    covers: what it measures, `gpu` or `cpu_package`
    safe_gap_s: longest time between two reads for which their difference is certain (counters wrap around)
    """

    covers: str
    safe_gap_s: float

    def read_j(self) -> float:
        """Joules since some fixed moment. Raises MeterError."""

    def close(self) -> None:
        """Give the counter back."""


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """Joules of a window, or None; `reasons`: `energy_j`, or `energy_j.<what>` if only that part is missing -> why.

    method: how they were found
    """

    energy_j: float | None
    reasons: Mapping[str, str] = field(default_factory=dict)
    method: EnergyMethod = EnergyMethod.UNAVAILABLE


class TrialEnergy(Protocol):
    """The energy of consecutive windows of one trial. Times are of any monotonic clock, in seconds."""

    def start(self, now_s: float) -> None:
        """Begin a window."""

    def keep_up(self, now_s: float) -> None:
        """Called often within a window."""

    def read(self, now_s: float) -> EnergyReading:
        """The energy since `start`; does not begin a new window."""

    def close(self) -> None:
        """Give the counters back; later windows have no energy."""


class EnergyWindows:
    """Energy of consecutive windows over several sources that one trial has to itself; a `TrialEnergy`.

    sources: counters that can be read; missing: what they would cover -> why they cannot
    A part that fails makes its own reason; the sum is None only when nothing could be read, or when a source that was
    there failed within the window (half a window's energy would look like a low one).
    """

    def __init__(self, sources: Sequence[EnergySource], missing: Mapping[str, str]) -> None:
        self._sources = tuple(sources)
        self._missing = dict(missing)
        self._last: dict[int, tuple[float, float]] = {}
        self._used_j: dict[int, float] = {}
        self._broken: dict[int, str] = {}

    def start(self, now_s: float) -> None:
        """Begin a window at `now_s` on any monotonic clock."""
        self._last.clear()
        self._broken.clear()
        for i in range(len(self._sources)):
            self._used_j[i] = 0.0
            self._advance(i, now_s)

    def keep_up(self, now_s: float) -> None:
        """Read the counters that would otherwise wrap around unseen; call it often, it mostly returns at once."""
        for i, source in enumerate(self._sources):
            last = self._last.get(i)
            if last is not None and now_s - last[1] > source.safe_gap_s / 2:
                self._advance(i, now_s)

    def read(self, now_s: float) -> EnergyReading:
        """The energy since `start`; does not begin a new window."""
        for i in range(len(self._sources)):
            self._advance(i, now_s)
        reasons = {f"energy_j.{what}": why for what, why in self._missing.items()}
        if self._broken or not self._sources:
            whys = [f"{self._sources[i].covers}: {why}" for i, why in self._broken.items()]
            whys += [f"{what}: {why}" for what, why in self._missing.items()]
            return EnergyReading(None, {"energy_j": "; ".join(whys) or "no energy counter"})
        return EnergyReading(sum(self._used_j.values()), reasons, EnergyMethod.MEASURED_EXCLUSIVE)

    def close(self) -> None:
        """Close all sources; later windows have no energy."""
        sources, self._sources = self._sources, ()
        for source in sources:
            source.close()

    def _advance(self, i: int, now_s: float) -> None:
        if i in self._broken:
            return
        source, last = self._sources[i], self._last.get(i)
        try:
            total_j = source.read_j()
        except MeterError as error:
            self._broken[i] = str(error)
            return
        if last is not None:
            if now_s - last[1] > source.safe_gap_s:
                self._broken[i] = f"not read for {now_s - last[1]:.0f} s, the counter may have wrapped around twice"
            elif total_j < last[0]:
                self._broken[i] = "the counter went backwards"
            else:
                self._used_j[i] += total_j - last[0]
        self._last[i] = (total_j, now_s)
