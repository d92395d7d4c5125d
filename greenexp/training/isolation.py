"""What an epoch may depend on: its seed and its number of threads, whatever ran in this process before."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def epoch_seed(order: int, epoch: int) -> int:
    """The seed of what an epoch draws beside its order of examples: dropout, and whatever else a method draws.

    63 bits of numpy's SeedSequence over (order seed, epoch) alone, so that a trial resumed at an epoch needs no
    generator's state. Epoch 0 is the set-up.
    """
    state = np.random.SeedSequence((order, epoch), spawn_key=(1,)).generate_state(1, np.uint64)[0]
    return int(state) >> 1


@contextmanager
def isolated(seed: int, threads: int, device: torch.device) -> Iterator[None]:
    """Global state of torch, numpy and Python as if the process were new; the former state comes back at the end.

    Generators (dropout has no other than the global one), thread count, default type, precision of matrix products,
    deterministic algorithms, autocast's cache of weights. On a GPU set `CUBLAS_WORKSPACE_CONFIG` before torch uses it,
    or cuBLAS refuses to be deterministic; it is set here if it is not.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - a method may use the old API
    former = _torch_settings()
    torch.clear_autocast_cache()
    devices = [device] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=devices):
            _apply(threads, torch.float32, "highest", True, False, True)
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        _apply(*former)
        torch.clear_autocast_cache()
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


_Settings = tuple[int, torch.dtype, str, bool, bool, bool]


def _torch_settings() -> _Settings:
    return (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.is_grad_enabled(),
    )


def _apply(threads: int, dtype: torch.dtype, precision: str, deterministic: bool, warn_only: bool, grad: bool) -> None:
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)
    torch.set_float32_matmul_precision(precision)
    torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
    torch.set_grad_enabled(grad)
