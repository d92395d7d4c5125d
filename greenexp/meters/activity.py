"""Who uses a device: CPU seconds from the kernel, and the busy time of GPU processes from the driver."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pynvml

from greenexp.meters.device_account import Activity

PROC = Path("/proc")
_BUSY = (0, 1, 2, 5, 6)
"""Of the columns of `/proc/stat`: user, nice, system, irq, softirq. Guests are in user; the others use nothing."""
_PARENT, _ALONE, _WITH_CHILDREN = 1, slice(11, 13), slice(11, 15)
"""Of the columns of `/proc/PID/stat` after its name: parent; CPU time of its own; with that of ended children."""
_FAMILY_LASTS_S = 20.0
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

    own: processes of the sweep that are no trial's; what they have started, such as Ray's processes and workers between
    two trials, is the sweep's, too. A process that has ended keeps what was last seen of it.
    """

    def __init__(self, own: Iterable[int] = (), proc: Path = PROC) -> None:
        self._roots, self._proc = set(own), proc
        self._tick_s = 1.0 / os.sysconf("SC_CLK_TCK")
        self._seen: dict[int, float] = {}
        self._own: dict[int, float | None] = {}  # process -> its own CPU seconds when last seen
        self._own_s = 0.0
        self._found_at_s = -math.inf

    def read(self, pids: Sequence[int], now_s: float) -> Activity:
        """See `ActivityMeter`."""
        for pid in pids:
            seconds = self._seconds(pid, _WITH_CHILDREN)
            if seconds is not None:
                self._seen[pid] = max(seconds, self._seen.get(pid, 0.0))
        self._note_own(pids, now_s)
        by_pid = {pid: self._seen[pid] for pid in pids if pid in self._seen}
        return Activity(by_pid, self._own_s, self._total())

    def add_own(self, pid: int) -> None:
        """See `ActivityMeter`."""
        self._roots.add(pid)
        self._found_at_s = -math.inf

    def _note_own(self, pids: Sequence[int], now_s: float) -> None:
        """Add what the sweep's processes have used since the last look, those of trials aside.

        By differences: a worker is the sweep's between two trials, and what it used before then stays the trial's.
        """
        if now_s - self._found_at_s >= _FAMILY_LASTS_S:
            family = descendants(self._roots, self._proc)
            self._own = {pid: self._own.get(pid) for pid in family}
            self._found_at_s = now_s
        for pid, before in self._own.items():
            seconds = self._seconds(pid, _ALONE)
            if seconds is None:
                continue
            if before is not None and pid not in pids:
                self._own_s += max(0.0, seconds - before)
            self._own[pid] = seconds

    def _seconds(self, pid: int, columns: slice) -> float | None:
        fields = _stat(pid, self._proc)
        return None if fields is None else sum(map(int, fields[columns])) * self._tick_s

    def _total(self) -> float | None:
        try:
            columns = (self._proc / "stat").read_text().partition("\n")[0].split()[1:]
            return sum(int(columns[place]) for place in _BUSY) * self._tick_s
        except (OSError, ValueError, IndexError):
            return None


def descendants(roots: Iterable[int], proc: Path = PROC) -> set[int]:
    """Processes and all that they, and those that they have started, have started and that still run."""
    children: dict[int, list[int]] = {}
    for entry in proc.iterdir() if proc.is_dir() else ():
        fields = _stat(int(entry.name), proc) if entry.name.isdigit() else None
        if fields is not None:
            children.setdefault(int(fields[_PARENT]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def _stat(pid: int, proc: Path) -> list[str] | None:
    """The columns of a process's state, from its state letter on; None if it is not there."""
    try:
        text = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()  # the name of a program may hold spaces and brackets


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
