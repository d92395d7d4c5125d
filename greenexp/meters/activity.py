"""Who uses a device: CPU seconds from the kernel, and the busy time of GPU processes from the driver."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pynvml

from greenexp.meters.device_account import Activity

PROC = Path("/proc")
_BUSY = (0, 1, 2, 5, 6)
"""Of the columns of `/proc/stat`: user, nice, system, irq, softirq. Guests are in user; the others use nothing."""
_SAMPLES_LAST_S = 2.0
"""The driver's samples of utilisation are up to a second apart; older ones say nothing of now."""


class ActivityMeter(Protocol):
    """Cumulative use of a device by process."""

    def read(self, pids: Sequence[int], now_s: float) -> Activity:
        """The use up to `now_s` by these processes, and by all."""

    def add_own(self, pid: int) -> None:
        """A further process of the sweep that is no trial's."""


class CpuActivity:
    """CPU seconds of processes with those of their children that have ended, and of the whole machine.

    own: processes of the sweep that are no trial's. One that has ended keeps what was last seen of it.
    """

    def __init__(self, own: Iterable[int] = (), proc: Path = PROC) -> None:
        self._own, self._proc = set(own), proc
        self._tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
        self._seen: dict[int, float] = {}

    def read(self, pids: Sequence[int], now_s: float) -> Activity:  # noqa: ARG002
        """See `ActivityMeter`."""
        for pid in {*pids, *self._own}:
            seconds = self._seconds(pid)
            if seconds is not None:
                self._seen[pid] = max(seconds, self._seen.get(pid, 0.0))
        by_pid = {pid: self._seen[pid] for pid in pids if pid in self._seen}
        return Activity(by_pid, sum(self._seen.get(pid, 0.0) for pid in self._own), self._total())

    def add_own(self, pid: int) -> None:
        """See `ActivityMeter`."""
        self._own.add(pid)

    def _seconds(self, pid: int) -> float | None:
        try:
            text = (self._proc / str(pid) / "stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()  # the name of a program may hold spaces and brackets
        return sum(map(int, fields[11:15])) * self._tick_s

    def _total(self) -> float | None:
        try:
            columns = (self._proc / "stat").read_text().partition("\n")[0].split()[1:]
            return sum(int(columns[place]) for place in _BUSY) * self._tick_s
        except (OSError, ValueError, IndexError):
            return None


class GpuActivity:
    """Busy seconds of a GPU by process: the driver's samples of SM utilisation, summed over time.

    handle: NVML's. Where the driver names no process of ours, as inside a container that numbers its processes anew, or
    does not tell utilisation at all, nothing is known.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._busy_s: dict[int, float] = {}
        self._newest: tuple[dict[int, float], float] | None = None  # utilisation by process, and when it was read
        self._last_s: float | None = None
        self._last_stamp = 0
        self._knows = True
        self._own: set[int] = set()

    def read(self, pids: Sequence[int], now_s: float) -> Activity:
        """See `ActivityMeter`."""
        utilisation = self._utilisation(now_s)
        if utilisation is not None and self._last_s is not None:
            for pid, part in utilisation.items():
                self._busy_s[pid] = self._busy_s.get(pid, 0.0) + part * (now_s - self._last_s)
        self._last_s = now_s
        if utilisation is None or (pids and not self._sees(pids)):
            return Activity()
        by_pid = {pid: self._busy_s.get(pid, 0.0) for pid in pids}
        own = sum(self._busy_s.get(pid, 0.0) for pid in self._own.difference(pids))
        return Activity(by_pid, own, sum(self._busy_s.values()))

    def add_own(self, pid: int) -> None:
        """See `ActivityMeter`."""
        self._own.add(pid)

    def _sees(self, pids: Sequence[int]) -> bool:
        """Whether the driver knows any of our processes by the number that we know it by."""
        if any(pid in self._busy_s for pid in pids):
            return True
        running: set[int] = set()
        with contextlib.suppress(pynvml.NVMLError):
            running = {process.pid for process in pynvml.nvmlDeviceGetComputeRunningProcesses(self._handle)}
        return bool(running.intersection(pids))

    def _utilisation(self, now_s: float) -> Mapping[int, float] | None:
        """SM utilisation by process, in [0, 1], of the newest samples; None: not known."""
        if not self._knows:
            return None
        try:
            samples = pynvml.nvmlDeviceGetProcessUtilization(self._handle, self._last_stamp)
        except pynvml.NVMLError as error:
            if getattr(error, "value", None) != pynvml.NVML_ERROR_NOT_FOUND:  # no process was busy since the last look
                self._knows = False
                return None
            samples = []
        if samples:
            self._last_stamp = max(sample.timeStamp for sample in samples)
            parts = {int(sample.pid): min(100, int(sample.smUtil)) / 100 for sample in samples if sample.pid}
            self._newest = (parts, now_s)
        if self._newest is None or now_s - self._newest[1] > _SAMPLES_LAST_S:
            return {}
        return self._newest[0]
