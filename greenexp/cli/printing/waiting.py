"""What a terminal shows while a command computes for more than a moment."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SILENT_S = 1.0
TICK_S = 1.0


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Show on stderr, from the second second on, how long `what` has taken; nothing where stderr is no terminal.

    The line is taken away at the end, whatever happens.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    shower = threading.Thread(target=_show, args=(what, done), daemon=True)
    shower.start()
    try:
        yield
    finally:
        done.set()
        shower.join()


def _show(what: str, done: threading.Event) -> None:
    began, width = time.monotonic(), 0
    wait = SILENT_S
    while not done.wait(wait):
        text = f"{what}: {time.monotonic() - began:.0f} s"
        width = max(width, len(text))
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()
        wait = TICK_S
    if width:
        sys.stderr.write(f"\r{' ' * width}\r")
        sys.stderr.flush()
