"""Gradient equilibrium: every layer gets the mean, not the sum, of the gradients of the exits above it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def scaled_gradient(value: Tensor, factor: float) -> Tensor:
    """`value` itself, whose gradient is multiplied by `factor` on the way back.

    With K exits computed, exit k = 1..K of them reads the state scaled by 1 / (K - k + 1), and what goes on from there
    is scaled by K - k: below exit k arrive the mean of the gradients of exits k..K, while the exits' own parameters get
    their gradients whole (Li et al., ICCV 2019; ElasticBERT, Liu et al. 2022, fastnlp/ElasticBERT@ffb827b4).
    """
    scaled: Tensor = _Scaled.apply(value, factor)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
    return scaled


class _Scaled(torch.autograd.Function):
    """See `scaled_gradient`."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * ctx.factor, None
