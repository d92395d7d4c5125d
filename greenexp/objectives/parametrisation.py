"""How loss weights are kept positive and of one size while they learn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Parametrisation = Literal["raw", "softplus", "softmax"]

_SOFTPLUS_OF_ONE = math.log(math.expm1(1.0))
"""softplus(x) = 1."""


def start(kind: Parametrisation, size: int) -> Tensor:
    """[term], float64: the free numbers a at which every weight is 1."""
    values = {"raw": 1.0, "softplus": _SOFTPLUS_OF_ONE, "softmax": 0.0}
    if kind not in values:
        raise ValueError(f"parametrisation: expected raw, softplus or softmax, got {kind!r}")
    return torch.full((size,), values[kind], dtype=torch.float64)


def weights_of(kind: Parametrisation, free: Tensor, groups: Sequence[slice]) -> Tensor:
    """[term]: omega(a). raw: a; softplus: log(1 + e^a) > 0; softmax: within each group S softmax(a), S its size."""
    if kind == "raw":
        return free.clone()
    if kind == "softplus":
        return functional.softplus(free)
    parts = [free[group] for group in groups]
    return torch.cat([len(part) * torch.softmax(part, dim=0) for part in parts])


def pulled_back(kind: Parametrisation, free: Tensor, groups: Sequence[slice], gradient: Tensor) -> Tensor:
    """[term]: the gradient with respect to a, from that with respect to omega (the transposed Jacobian times it).

    raw: g; softplus: sigmoid(a) g; softmax: w_j (g_j - sum_i w_i g_i / S) within each group.
    """
    if kind == "raw":
        return gradient
    if kind == "softplus":
        return torch.sigmoid(free) * gradient
    parts = []
    for group in groups:
        part = gradient[group]
        share = torch.softmax(free[group], dim=0)
        parts.append(len(part) * share * (part - (share * part).sum()))
    return torch.cat(parts)
