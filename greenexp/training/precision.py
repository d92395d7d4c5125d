"""The number format of matrix products."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["fp32", "bf16"]

_CPU_FEATURES = ("amx_bf16", "avx512_bf16")


def choose_precision(asked: str, device: torch.device) -> Precision:
    """`asked`, or for `auto` bf16 where this device has instructions for it, else fp32.

    Width is not asked for: with AVX512-BF16 on one thread an epoch in bf16 took 0.88 of fp32's CPU time at hidden size
    64, 0.66 at 128, 0.52 at 192, 0.48 at 256 (BERT, batch 32, measured in pairs).
    `torch.amp.is_autocast_available` says nothing about speed: without the instructions autocast runs, slowly.
    """
    if asked in ("fp32", "bf16"):
        return "bf16" if asked == "bf16" else "fp32"
    return "bf16" if _fast_bf16(device) else "fp32"


def explain_precision(device: torch.device | None = None) -> str:
    """What `precision: auto` means on this machine, and why; None: the CPU."""
    device = torch.device("cpu") if device is None else device
    found = _fast_bf16(device)
    if found:
        return f"auto is bf16 ({found})"
    lacking = "neither " + " nor ".join(_CPU_FEATURES) if device.type == "cpu" else "no bf16 on this GPU"
    return f"auto is fp32 ({lacking})"


def _fast_bf16(device: torch.device) -> str:
    """Why bf16 is fast here, or an empty string."""
    if device.type == "cuda":
        return "the GPU computes it" if torch.cuda.is_bf16_supported(including_emulation=False) else ""
    capabilities = torch.cpu.get_capabilities()
    return ", ".join(name for name in _CPU_FEATURES if capabilities.get(name))


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Forward passes run inside; with fp32 it also switches off an autocast that surrounds it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
