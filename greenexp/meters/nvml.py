"""Energy of NVIDIA GPUs from the driver's own counter (total energy since the driver was loaded, Volta and later)."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pynvml

from greenexp.meters.energy import MeterError


def visible_gpus(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The GPUs this process may use, as `CUDA_VISIBLE_DEVICES` lists them (UUIDs or indices); all if it is not set.

    Empty without a driver. An empty list or `-1` hides all GPUs.
    """
    environment = os.environ if environment is None else environment
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return all_gpus()
    chosen = []
    for entry in (part.strip() for part in listed.split(",")):
        if not entry or entry.startswith("-"):
            break  # CUDA ignores everything behind the first invalid entry
        chosen.append(entry)
    return tuple(chosen)


def all_gpus() -> tuple[str, ...]:
    """The UUIDs of all GPUs of this machine, whatever `CUDA_VISIBLE_DEVICES` says; empty without a driver."""
    try:
        with _Session():
            handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
            return tuple(_text(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles)
    except MeterError:
        return ()


class NvmlSource:
    """The summed counters of some GPUs, each a UUID (`GPU-...`) or an NVML index.

    Raises MeterError when there is no driver, a GPU is unknown, is a MIG slice (its energy is not counted apart), has
    no counter, or is given by an index that CUDA and NVML may understand differently. The counter moves about every
    100 ms: windows should last seconds.
    """

    covers = "gpu"
    safe_gap_s = math.inf

    def __init__(self, gpus: Sequence[str]) -> None:
        if not gpus:
            raise MeterError("no GPU is assigned")
        self._session = contextlib.ExitStack()
        self._session.enter_context(_Session())
        try:
            self._handles = [handle_of(gpu) for gpu in gpus]
            if any(gpu.isdigit() for gpu in gpus):
                _check_numbering(os.environ)
            self.read_j()
        except MeterError:
            self.close()
            raise

    def read_j(self) -> float:
        """Joules since the driver was loaded, all GPUs together."""
        try:
            return sum(int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) for handle in self._handles) / 1000
        except pynvml.NVMLError as error:
            raise MeterError(f"the GPU's energy counter cannot be read: {error}") from error

    def close(self) -> None:
        """Release NVML."""
        self._session.close()


class PowerSource:
    """Energy of one GPU without an energy counter: the integral of its power over the reads.

    A read stands for the time since the one before, so it must come often; spikes between two reads are not seen.
    """

    covers = "gpu"
    safe_gap_s = 5.0

    def __init__(self, gpu: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = contextlib.ExitStack()
        self._session.enter_context(_Session())
        self._clock, self._joules = clock, 0.0
        try:
            self._gpu = handle_of(gpu)
            self._last = (self._watts(), clock())
        except MeterError:
            self.close()
            raise

    def read_j(self) -> float:
        """Joules since this source was opened."""
        watts, now_s = self._watts(), self._clock()
        self._joules += (watts + self._last[0]) / 2 * (now_s - self._last[1])
        self._last = (watts, now_s)
        return self._joules

    def close(self) -> None:
        """Release NVML."""
        self._session.close()

    def _watts(self) -> float:
        try:
            return int(pynvml.nvmlDeviceGetPowerUsage(self._gpu)) / 1000
        except pynvml.NVMLError as error:
            raise MeterError(f"the GPU's power cannot be read: {error}") from error


class _Session:
    """NVML counts its openings: every init has its shutdown."""

    def __enter__(self) -> None:
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise MeterError(f"no NVIDIA driver: {error}") from error

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def handle_of(gpu: str) -> Any:
    """NVML's handle of a GPU, while somebody has NVML open. Raises MeterError as `NvmlSource` does."""
    if gpu.startswith("MIG-"):
        raise MeterError(f"{gpu} is a slice of a GPU (MIG), whose energy is not counted apart")
    try:
        if gpu.isdigit():
            return pynvml.nvmlDeviceGetHandleByIndex(int(gpu))
        return pynvml.nvmlDeviceGetHandleByUUID(gpu)
    except pynvml.NVMLError as error:
        raise MeterError(f"GPU {gpu}: {error}") from error


def uuid_of(gpu: str) -> str:
    """The UUID of a GPU that is named by it or by an NVML index. Raises MeterError as `NvmlSource` does."""
    with _Session():
        if gpu.isdigit():
            _check_numbering(os.environ)
        return _text(pynvml.nvmlDeviceGetUUID(handle_of(gpu)))


def _check_numbering(environment: Mapping[str, str]) -> None:
    """NVML numbers GPUs by bus, CUDA the fastest first: among unlike GPUs an index may name the wrong one."""
    if environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return
    handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
    if len({_text(pynvml.nvmlDeviceGetName(handle)) for handle in handles}) > 1:
        raise MeterError(
            "this machine has unlike GPUs, which CUDA and NVML number differently: set CUDA_DEVICE_ORDER=PCI_BUS_ID"
        )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
