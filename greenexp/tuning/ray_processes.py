"""The processes that a private Ray has started, and their end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import psutil

_PATIENCE_S = 1.0
"""Ray has asked them to end by then, and has given each of its own two servers a second for it."""
_KILLED_S = 5.0
_POLL_S = 0.02


@contextlib.contextmanager
def no_process_left() -> Iterator[None]:
    """End, after the block has shut Ray down, what is left of the raylet's processes.

    Ray kills a raylet that needs more than a second to end, as on a loaded machine, before it has ended its own
    processes: its agents then live on for a minute, and a worker until it notices.
    """
    processes = raylet_processes()
    try:
        yield
    finally:
        end_processes(processes)


def raylet_processes() -> list[psutil.Process]:
    """All that descend from the raylet that this process has started; none if it has started none."""
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if child.name() == "raylet":
                found += [child, *child.children(recursive=True)]
    return found


def end_processes(processes: Sequence[psutil.Process]) -> None:
    """Kill those that still run after a moment, and wait for their end."""
    for process in _running(processes, _PATIENCE_S):
        with contextlib.suppress(psutil.Error):
            process.kill()
    _running(processes, _KILLED_S)


def _running(processes: Sequence[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those that still run at the end of the time; a process that nobody has waited for yet has ended, too."""
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if _runs(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
