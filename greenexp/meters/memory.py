"""Peak memory of a window: resident memory of the process, or of the GPU if the trial has one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from greenexp.meters.energy import MeterError

PROC = Path("/proc/self")


class MemoryMeter(Protocol):
    """A high-water mark that can be reset."""

    def reset(self) -> None:
        """Begin a window. Raises MeterError."""

    def peak_b(self) -> float:
        """Largest memory since `reset`, bytes. Raises MeterError."""


class ResidentMemory:
    """The kernel's high-water mark of resident memory (VmHWM), reset through `clear_refs` (Linux).

    Where the reset is not allowed the mark is of the process's whole life, so it is refused rather than shown as the
    window's.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc

    def reset(self) -> None:
        """Set the mark to what is resident now."""
        try:
            (self._proc / "clear_refs").write_text("5")
        except OSError as error:
            raise MeterError(f"the high-water mark of memory cannot be reset: {error.strerror}") from error

    def peak_b(self) -> float:
        """The mark, bytes."""
        try:
            status = (self._proc / "status").read_text()
        except OSError as error:
            raise MeterError(f"the high-water mark of memory cannot be read: {error.strerror}") from error
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        if found is None:
            raise MeterError("this system keeps no high-water mark of memory")
        return float(found[1]) * 1024


class CudaMemory:
    """Memory allocated by torch on the current GPU; torch is imported only here, when a GPU is assigned."""

    def __init__(self) -> None:
        self._cuda = _cuda()

    def reset(self) -> None:
        """Set the mark to what is allocated now."""
        self._cuda.reset_peak_memory_stats()

    def peak_b(self) -> float:
        """The mark, bytes."""
        return float(self._cuda.max_memory_allocated())


def _cuda() -> Any:
    import torch

    if not torch.cuda.is_available():
        raise MeterError("a GPU is assigned but torch cannot use it")
    return torch.cuda
