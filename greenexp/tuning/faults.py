"""Errors of CUDA with which a trial loses the GPU that it shares through NVIDIA's MPS.

A fatal fault of one client ends all clients of the GPU. What the errors say is that of CUDA 13; no GPU was at hand on
which to see them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from greenexp.errors import SharedFaultError, abridged

_MADE = (
    "an illegal memory access was encountered", "unspecified launch failure", "device-side assert triggered",
    "an illegal instruction was encountered", "misaligned address", "invalid program counter", "hardware stack error",
    "operation not supported on global/shared address space", "uncorrectable ECC error encountered",
)  # fmt: skip
"""CUDA's texts for a fault that ends a context: whoever is told one of these may have made it."""
_SUFFERED = (
    "the MPS client has been terminated by the server", "cudaErrorMpsClientTerminated",
    "the remote procedural call between the MPS server and the MPS client failed", "cudaErrorMpsRpcFailure",
    "MPS server is not ready to accept new MPS client requests", "cudaErrorMpsServerNotReady",
    "MPS client failed to connect to the MPS control daemon or the MPS server", "cudaErrorMpsConnectionFailed",
    "CUBLAS_STATUS_EXECUTION_FAILED", "CUDNN_STATUS_EXECUTION_FAILED",
)  # fmt: skip
"""Texts of clients whose server ended them or recovers, and of libraries that say no more than that CUDA failed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An error that a fault shared by the clients of a GPU may have caused.

    text: its first line; made: whether this client may have made the fault
    """

    text: str
    made: bool


def fault_in(account: str) -> Fault | None:
    """The fault that an error's text tells of, None where it is of another kind."""
    for line in account.splitlines():
        suffered = any(words in line for words in _SUFFERED)
        made = "CUDA" in line and any(words in line for words in _MADE)
        if suffered or made:
            return Fault(abridged(line.strip(), 500), made=made and not suffered)
    return None


@contextmanager
def dying_of_faults(device: Callable[[], str] | None) -> Iterator[None]:
    """Raise SharedFaultError in the place of an error that tells of such a fault.

    device: the name of the GPU; None: errors pass as they are
    """
    try:
        yield
    except Exception as error:
        fault = None if device is None else fault_in(f"{type(error).__name__}: {error}")
        if device is None or fault is None:
            raise
        raise SharedFaultError(f"{device()}: {fault.text}") from error
