"""What says that memory ran out, of the many things that may say so."""

from __future__ import annotations

import re

import torch

_SAID = re.compile(r"out of memory|can't allocate memory|cannot allocate memory|not enough memory", re.IGNORECASE)


def shortage(error: BaseException) -> str | None:
    """The first line of an error that says that memory ran out; None of any other error."""
    is_one = isinstance(error, torch.OutOfMemoryError | MemoryError)
    if not is_one and not (isinstance(error, RuntimeError) and _SAID.search(str(error))):
        return None
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
