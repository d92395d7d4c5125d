"""The number format of matrix products."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["fp32", "bf16"]


def choose_precision(asked: str, device: torch.device, hidden_size: int) -> Precision:
    """`asked`, or for `auto` bf16 where this device computes it fast for a model of this width, else fp32.

    `torch.amp.is_autocast_available` says nothing about speed: without bf16 instructions autocast runs, slowly.
    """
    if asked == "bf16" or asked == "fp32":
        return "bf16" if asked == "bf16" else "fp32"
    return "bf16" if _is_fast(device, hidden_size) else "fp32"


def _is_fast(device: torch.device, hidden_size: int) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(_cpu_has_bf16())


def _cpu_has_bf16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Forward passes run inside; with fp32 it also switches off an autocast that surrounds it."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")
