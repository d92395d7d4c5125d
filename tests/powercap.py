"""A powercap tree whose counter runs: what a machine with one CPU package shows, for machines that show none."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IDLE_W, CORE_W = 10.0, 7.0
_STEP_S = 0.05


@contextmanager
def running_package(root: Path) -> Iterator[Path]:
    """A tree below `root` with a package that draws a fixed power, and more for cores that are busy."""
    zone = root / "intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    (zone / "energy_uj").write_text("0\n")
    stopped = threading.Event()
    thread = threading.Thread(target=_count, args=(zone, stopped), daemon=True)
    thread.start()
    try:
        yield root
    finally:
        stopped.set()
        thread.join()


def _count(zone: Path, stopped: threading.Event) -> None:
    joules, at_s, busy = 0.0, time.monotonic(), _busy_ticks()
    while not stopped.wait(_STEP_S):
        now_s, now_busy = time.monotonic(), _busy_ticks()
        joules += IDLE_W * (now_s - at_s) + CORE_W * (now_busy - busy) / 100
        at_s, busy = now_s, now_busy
        draft = zone / ".energy_uj"
        draft.write_text(str(int(joules * 1e6)))
        draft.replace(zone / "energy_uj")


def _busy_ticks() -> int:
    columns = Path("/proc/stat").read_text(encoding="utf-8").split()[1:4]
    return sum(map(int, columns))
