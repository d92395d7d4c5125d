"""The energy account of one device: what its counter counted, and whose it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from greenexp.meters.apportioning import STRANGERS, Holding, divide
from greenexp.records.energy import EnergyMethod

IDLE_WINDOW_S = 2.0
"""Idle power is that of a window of at least this length: counters move in steps of up to 0.1 s."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Who has used a device, cumulative since some fixed moment, in any unit.

    by_pid: of each process that was asked for and is known; own: of the sweep's processes that are no trial's;
    total: of all processes; None: not known
    """

    by_pid: Mapping[int, float] = field(default_factory=dict)
    own: float = 0.0
    total: float | None = None


@dataclass(slots=True)
class Tenancy:
    """A trial that holds a device, or held it in the interval that is still open.

    used_before, used_after: the activity of its process when it took the device and when it gave it back
    energy_uj: its energy so far; recent_uj: of it, since the trial last asked, by the method by which it was found
    hole: why energy is missing since then, or empty
    """

    trial: str
    pid: int
    share: float
    since_s: float
    used_before: float | None
    until_s: float = math.inf
    used_after: float | None = None
    energy_uj: int = 0
    recent_uj: dict[EnergyMethod, int] = field(default_factory=dict)
    hole: str = ""

    def held_s(self, begin_s: float, end_s: float) -> float:
        """For how long it held the device between two moments."""
        return max(0.0, min(self.until_s, end_s) - max(self.since_s, begin_s))

    def used(self, begin: Activity, end: Activity) -> float | None:
        """What its process has used of the device between two moments; of one that died what was last seen of it."""
        after = end.by_pid.get(self.pid) if self.used_after is None else self.used_after
        if after is None:
            return None
        return max(0.0, after - max(begin.by_pid.get(self.pid, 0.0), self.used_before or 0.0))


class IdlePower:
    """The power of a device that no trial holds; else the lowest that was seen.

    Power is that of windows of `IDLE_WINDOW_S`; the least of them counts, as anything else only adds to it.
    """

    def __init__(self) -> None:
        self.without_trial: float | None = None
        self.lowest: float | None = None
        self.window_s: float | None = None
        self._energy_uj, self._length_s, self._is_free = 0, 0.0, True

    @property
    def watts(self) -> float | None:
        """The idle power in use, None before there is one."""
        return self.lowest if self.without_trial is None else self.without_trial

    @property
    def found(self) -> str:
        """`no trial`, `lowest` or empty; see `MeteredDevice`."""
        if self.without_trial is not None:
            return "no trial"
        return "" if self.lowest is None else "lowest"

    def note(self, energy_uj: int, interval_s: float, *, free: bool) -> None:
        """Take in an interval; free: no trial held the device in it."""
        if free != self._is_free:
            self._energy_uj, self._length_s, self._is_free = 0, 0.0, free
        self._energy_uj += energy_uj
        self._length_s += interval_s
        if self._length_s < IDLE_WINDOW_S:
            return
        watts = self._energy_uj * 1e-6 / self._length_s
        before = self.without_trial if free else self.lowest
        if before is None or watts < before:
            if free:
                self.without_trial, self.window_s = watts, self._length_s
            else:
                self.lowest = watts
                self.window_s = self._length_s if self.without_trial is None else self.window_s
        self._energy_uj, self._length_s = 0, 0.0


class DeviceAccount:
    """The parts of what a device's counter has counted since the account was opened.

    safe_gap_s: longest time between two readings for which their difference is certain
    An interval lasts from one movement of the counter to the next: readings that are equal, because the counter moves
    in steps or a reading failed, are no zeros but lengthen it.
    """

    def __init__(self, safe_gap_s: float = math.inf) -> None:
        self._safe_gap_s = safe_gap_s
        self._last: tuple[int, float] | None = None  # reading and time at which the open interval begins
        self._begin = Activity()
        self._tenancies: list[Tenancy] = []
        self.idle = IdlePower()
        self.meter_uj = self.trials_uj = self.overhead_uj = self.unattributed_uj = 0
        self.span_s = 0.0
        self.samples = self.gaps = 0

    @property
    def pids(self) -> tuple[int, ...]:
        """Processes of the trials that hold the device, or held it in the open interval."""
        return tuple(tenancy.pid for tenancy in self._tenancies)

    def enter(self, trial: str, pid: int, share: float, now_s: float, activity: Activity) -> Tenancy:
        """A trial takes its share of the device; activity: as it is now."""
        tenancy = Tenancy(trial, pid, share, now_s, activity.by_pid.get(pid))
        self._tenancies.append(tenancy)
        return tenancy

    def leave(self, tenancy: Tenancy, now_s: float, activity: Activity) -> None:
        """It gives it back; its part of the open interval is still to come."""
        if tenancy.until_s > now_s:
            tenancy.until_s, tenancy.used_after = now_s, activity.by_pid.get(tenancy.pid)

    def fail(self) -> None:
        """A reading failed: the interval goes on."""
        self.samples += 1
        self.gaps += 1

    def note(self, reading_uj: int, now_s: float, activity: Activity) -> None:
        """A reading of the counter, and who has used the device up to now."""
        self.samples += 1
        if self._last is None:
            self._begin_interval(reading_uj, now_s, activity)
            return
        before_uj, begin_s = self._last
        if reading_uj == before_uj and now_s - begin_s <= self._safe_gap_s:
            return
        if reading_uj < before_uj:
            self._break("the counter of energy went backwards")
        elif now_s - begin_s > self._safe_gap_s:
            self._break(f"the counter of energy was not read for {now_s - begin_s:.0f} s and may have wrapped around")
        else:
            self._close(reading_uj - before_uj, begin_s, now_s, activity)
        self._begin_interval(reading_uj, now_s, activity)

    def _begin_interval(self, reading_uj: int, now_s: float, activity: Activity) -> None:
        self._last, self._begin = (reading_uj, now_s), activity
        self._tenancies = [tenancy for tenancy in self._tenancies if tenancy.until_s > now_s]

    def _break(self, why: str) -> None:
        """What was used in this interval is not known, and belongs to nobody."""
        for tenancy in self._tenancies:
            tenancy.hole = why

    def _close(self, energy_uj: int, begin_s: float, now_s: float, activity: Activity) -> None:
        """Divide an interval."""
        interval_s = now_s - begin_s
        used = [tenancy.used(self._begin, activity) for tenancy in self._tenancies]
        own = max(0.0, activity.own - self._begin.own)
        other = self._used_by_others(used, own, activity)
        holdings = [
            Holding(str(number), tenancy.share, tenancy.held_s(begin_s, now_s), one)
            for number, (tenancy, one) in enumerate(zip(self._tenancies, used, strict=True))
        ]
        free = not holdings
        quiet = not free or other is None or other + own <= STRANGERS * interval_s
        parts = divide(energy_uj, interval_s, self.idle.watts, holdings, own_activity=own, other_activity=other)
        if quiet:
            self.idle.note(energy_uj, interval_s, free=free)
        for number, part_uj in parts.trials_uj.items():
            tenancy = self._tenancies[int(number)]
            tenancy.energy_uj += part_uj
            tenancy.recent_uj[parts.method] = tenancy.recent_uj.get(parts.method, 0) + part_uj
            self.trials_uj += part_uj
        self.meter_uj += energy_uj
        self.overhead_uj += parts.overhead_uj
        self.unattributed_uj += parts.unattributed_uj
        self.span_s += interval_s

    def _used_by_others(self, used: list[float | None], own: float, activity: Activity) -> float | None:
        if activity.total is None or self._begin.total is None:
            return None
        return max(0.0, activity.total - self._begin.total - own - sum(one or 0.0 for one in used))
