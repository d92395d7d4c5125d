"""The number format of matrix products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]

_CPU_FEATURES = ("amx_bf16", "avx512_bf16")

_CPU_LEAST_WIDTH = 96
"""Below this hidden size bf16 gains a CPU little or nothing: casts eat it up. CPU time of an epoch over that in fp32,
medians of pairs (AVX512-BF16, one thread, BERT, batch 32, about 10 tokens): hidden 32 1.26, 64 0.95, 96 0.80, 128 0.71;
smallest of 4 pairs: 192 0.52, 256 0.48, 384 0.43."""


def choose_precision(asked: str, device: torch.device, hidden_size: int) -> Precision:
    """`asked`, or for `auto` bf16 where this device has instructions for it and the model is wide enough, else fp32.

    `torch.amp.is_autocast_available` says nothing about speed: without the instructions autocast runs, slowly.
    """
    if asked in ("fp32", "bf16"):
        return "bf16" if asked == "bf16" else "fp32"
    is_wide = device.type == "cuda" or hidden_size >= _CPU_LEAST_WIDTH
    return "bf16" if is_wide and _fast_bf16(device) else "fp32"


def explain_precision(device: torch.device | None = None) -> str:
    """What `precision: auto` means on this machine, and why; None: the CPU."""
    device = torch.device("cpu") if device is None else device
    found = _fast_bf16(device)
    if found:
        return f"auto is bf16 ({found})" + ("" if device.type == "cuda" else f" from hidden size {_CPU_LEAST_WIDTH}")
    lacking = "neither " + " nor ".join(_CPU_FEATURES) if device.type == "cpu" else "no bf16 on this GPU"
    return f"auto is fp32 ({lacking})"


def _fast_bf16(device: torch.device) -> str:
    """Why bf16 is fast here, or an empty string."""
    if device.type == "cuda":
        return "the GPU computes it" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    capabilities = torch.cpu.get_capabilities()
    return ", ".join(name for name in _CPU_FEATURES if capabilities.get(name))


@contextmanager
def autocast(precision: Precision, device: torch.device) -> Iterator[None]:
    """Forward passes run inside; with fp32 it also switches off an autocast that surrounds it.

    autocast keeps its casts of the weights until the *outermost* autocast ends: inside another one, even a disabled
    one, the next step would compute with the old weights. So they are dropped here, at the end of every forward pass.
    """
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        yield
    torch.clear_autocast_cache()
