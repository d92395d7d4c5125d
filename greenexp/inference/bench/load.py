"""Whether other programs keep the machine busy while something is timed on it."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

MEMORY_S = 60.0
"""The time constant of the 1-minute load average: a moving average whose weights fall by e in this time."""


def busy_warning(cores: int) -> str:
    """A sentence if other programs use more than the `cores` that are needed; empty if not, or if it is not known.

    Compared is the 1-minute load average without this process's own part.
    """
    try:
        others = os.getloadavg()[0] - own_load(time.process_time(), _age_s())
    except (OSError, AttributeError):  # not every system has it
        return ""
    if not others > cores:
        return ""
    return (
        f"the machine is busy: other programs have a load of {others:.1f} (average of the last minute), and {cores} "
        f"core{'s are' if cores > 1 else ' is'} needed here. The times are too long; repeat them on an idle machine"
    )


def own_load(cpu_s: float, age_s: float) -> float:
    """The part of the 1-minute load average that a process of this age has, if it has always used as much CPU time.

    cpu_s: CPU seconds of all its threads so far; age_s: seconds since it began. A load of n from a begin t seconds ago
    shows as n (1 - exp(-t / 60)).
    """
    return cpu_s / age_s * -math.expm1(-age_s / MEMORY_S) if age_s > 0 else 0.0


def _age_s() -> float:
    """Seconds since this process began; 0 where the system does not say."""
    try:
        # The name of a process, in brackets, may itself hold spaces and brackets; the start is the 22nd field.
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0
