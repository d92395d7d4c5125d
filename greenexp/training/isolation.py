"""What an epoch may depend on: its seed and its number of threads, whatever ran in this process before."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic
from torch import Tensor


def epoch_seed(order: int, epoch: int) -> int:
    """The seed of what an epoch draws beside its order of examples: dropout, and whatever else a method draws.

    63 bits of numpy's SeedSequence over (order seed, epoch) alone, so that a trial resumed at the beginning of an epoch
    needs no generator's state (within an epoch: see `GeneratorStates`). Epoch 0 is the set-up.
    """
    state = np.random.SeedSequence((order, epoch), spawn_key=(1,)).generate_state(1, np.uint64)[0]
    return int(state) >> 1


def step_seed(order: int, epoch: int, step: int, process: int) -> int:
    """The seed of the dropout masks of one of several processes in a step, where it cannot draw those of the whole."""
    state = np.random.SeedSequence((order, epoch, step, process), spawn_key=(6,)).generate_state(1, np.uint64)[0]
    return int(state) >> 1


@contextmanager
def isolated(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """Global state of torch, numpy and Python as if the process were new; the former state comes back at the end.

    Generators (dropout has no other than the global one), thread count, default type, precision of matrix products,
    deterministic algorithms, gradient mode, autocast and its cache of weights. On a GPU cuBLAS needs
    `CUBLAS_WORKSPACE_CONFIG` to be deterministic; it is set here, which is early enough if no trial ran before.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - a method may use the old API
    former = _TorchSettings.now()
    torch.clear_autocast_cache()
    try:
        generators = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
        with generators, torch.autocast(device.type, enabled=False):
            _TorchSettings(threads).apply()
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        former.apply()
        torch.clear_autocast_cache()
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


@dataclass(frozen=True, eq=False, slots=True)
class GeneratorStates:
    """Where the global random number generators stand within an epoch, so that it can go on there later.

    cpu, gpu: those of torch, uint8; gpu is None where there is none; python, numpy: those of `random` and numpy
    """

    cpu: Tensor
    gpu: Tensor | None
    python: tuple[Any, ...]
    numpy: tuple[Any, ...]

    @classmethod
    def now(cls, device: torch.device) -> GeneratorStates:
        """Those of this process."""
        gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        return cls(torch.get_rng_state(), gpu, random.getstate(), np.random.get_state(legacy=True))  # type: ignore[arg-type]  # noqa: NPY002

    def apply(self, device: torch.device) -> None:
        """Set the generators of this process."""
        torch.set_rng_state(self.cpu)
        if self.gpu is not None and device.type == "cuda":
            torch.cuda.set_rng_state(self.gpu, device)
        random.setstate(self.python)
        np.random.set_state(self.numpy)  # noqa: NPY002

    def same_as(self, other: GeneratorStates) -> bool:
        """Whether the generators of torch stand at the same place."""
        return torch.equal(self.cpu, other.cpu) and (
            self.gpu is None or other.gpu is None or torch.equal(self.gpu, other.gpu)
        )

    def tensors(self) -> dict[str, Tensor]:
        """The part that is tensors."""
        return {"cpu": self.cpu} | ({} if self.gpu is None else {"gpu": self.gpu})

    def plain(self) -> dict[str, Any]:
        """The rest, as JSON values."""
        name, key, *position = self.numpy
        version, internal, gauss = self.python
        return {"python": [version, list(internal), gauss], "numpy": [name, key.tolist(), *position]}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> GeneratorStates:
        """What `tensors` and `plain` hold. Raises KeyError, TypeError or ValueError if it is something else."""
        version, internal, gauss = plain["python"]
        name, key, *position = plain["numpy"]
        numpy_state = (name, np.array(key, dtype=np.uint32), *position)
        return cls(tensors["cpu"].clone(), tensors.get("gpu"), (version, tuple(internal), gauss), numpy_state)


@dataclass(frozen=True, slots=True)
class _TorchSettings:
    """Global settings of torch that can change numbers; the defaults are a trial's.

    filling: whether deterministic mode also fills uninitialised memory, which costs time and changes no right program
    """

    threads: int
    dtype: torch.dtype = torch.float32
    precision: str = "highest"
    deterministic: bool = True
    warn_only: bool = False
    filling: bool = False
    gradients: bool = True

    @classmethod
    def now(cls) -> _TorchSettings:
        return cls(
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.get_float32_matmul_precision(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]  # a property of the module
            torch.is_grad_enabled(),
        )

    def apply(self) -> None:
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        torch.set_default_dtype(self.dtype)
        torch.set_float32_matmul_precision(self.precision)
        torch.use_deterministic_algorithms(self.deterministic, warn_only=self.warn_only)
        torch.utils.deterministic.fill_uninitialized_memory = self.filling  # type: ignore[attr-defined]  # as above
        torch.set_grad_enabled(self.gradients)
