"""Whether other programs keep the machine busy while something is timed on it."""

from __future__ import annotations

import os

from greenexp.meters.machine import usable_cores


def busy_warning() -> str:
    """A sentence if more programs want to run than there are cores; empty if not, or where that is not known.

    Compared is the load average of the last minute, before anything is timed: a benchmark alone never wants more cores
    than there are.
    """
    try:
        load = os.getloadavg()[0]
    except (OSError, AttributeError):  # not every system has it
        return ""
    cores = usable_cores()
    if load <= cores:
        return ""
    return (
        f"the machine is busy: its load in the last minute is {load:.1f} on {cores} core(s), so the times are too "
        "long. Repeat the benchmark on an idle machine"
    )
