"""A private Ray of which a process dies: said in one line, before Ray ends the driver without a word of ours.

When its raylet or its GCS has gone, Ray's own code ends the process that uses it, with exit code 1 and a dump of its
state, up to a minute later. There is no orderly end then: nothing that waits for Ray returns. Like after `kill -9`, the
journal is whole and `--resume` goes on.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from greenexp.errors import BrokenOffError

POLL_S = 0.5
BROKEN_OFF = 3
"""The exit code of a process whose sweep broke off for trouble of the machine."""


@contextmanager
def watched_ray(
    tell: Callable[[str], None],
    dead: Callable[[], list[str]] | None = None,
    end: Callable[[int], object] = os._exit,
    poll_s: float = POLL_S,
) -> Iterator[None]:
    """For as long as this lasts, end the process with BROKEN_OFF once a process of its private Ray has died.

    tell: called with the reason first; dead: names of the processes that have died; end: ends the process
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(poll_s):
            names = (dead or dead_processes)()
            if names and not over.is_set():
                with contextlib.suppress(Exception):  # a closed terminal
                    tell(str(BrokenOffError(f"Ray's {' and '.join(names)} died")))
                end(BROKEN_OFF)
                return

    watcher = threading.Thread(target=watch, name="greenexp-ray", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def dead_processes() -> list[str]:
    """Names of the processes of this driver's own Ray that have died; none of a cluster that it has joined.

    Ray offers no public way to ask. Where a later version has renamed this one, nobody is told.
    """
    from ray._private import worker

    node = getattr(worker, "_global_node", None)
    if node is None or not hasattr(node, "dead_processes"):
        return []
    names = sorted({str(kind) for kind, _ in node.dead_processes()} & {"raylet", "gcs_server"})
    if names:
        with contextlib.suppress(Exception):  # its other processes would outlive the driver for a minute
            node.kill_all_processes(check_alive=False, allow_graceful=False)
    return names
