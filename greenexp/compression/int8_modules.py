"""Modules whose weights are held in 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_LARGEST = 127


def quantised(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(int8 [row, column], scale float32 [row]) of a matrix: row / scale, rounded to the nearest, halves to even.

    scale = max |row| / 127, and 1 for a row of zeros.
    """
    largest = weight.detach().float().abs().amax(dim=1)
    scale = torch.where(largest > 0, largest / _LARGEST, torch.ones_like(largest))
    return torch.round(weight.detach().float() / scale.unsqueeze(1)).to(torch.int8), scale


class HeldInInt8(nn.Module):
    """A module with int8 weights.

    weight: int8 [row, column]; scale: float32 [row]
    """

    weight: Tensor
    scale: Tensor

    @property
    def numbers(self) -> tuple[Tensor, ...]:
        """The tensors that count as weights: not the scales."""
        return (self.weight,)


class Int8Linear(HeldInInt8):
    """`nn.Linear` with int8 weights; see `Int8`. What it puts out has the type of what it is given, float32 or wider.

    weight: int8 [out, in]; scale: float32 [out]; bias: [out] or None. None of them trains.
    """

    bias: Tensor | None

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", bias)

    @classmethod
    def of(cls, linear: nn.Linear) -> Int8Linear:
        """The quantised form of `linear`."""
        bias = None if linear.bias is None else linear.bias.detach().clone()
        return cls(*quantised(linear.weight), bias)

    @property
    def numbers(self) -> tuple[Tensor, ...]:
        """See `HeldInInt8.numbers`."""
        return (self.weight,) if self.bias is None else (self.weight, self.bias)

    def forward(self, values: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        wide = values.float().flatten(0, -2)
        if wide.device.type != "cpu":
            full = self.weight.float() * self.scale.unsqueeze(1)
            with torch.autocast(values.device.type, enabled=False):
                product = functional.linear(wide, full)
        else:
            largest = wide.abs().amax(dim=1, keepdim=True)
            step = torch.where(largest > 0, largest / _LARGEST, torch.ones_like(largest))
            # There is no public name for this product: on a CPU it takes any shape, on a GPU few.
            whole = torch._int_mm(torch.round(wide / step).to(torch.int8), self.weight.t())  # noqa: SLF001
            product = whole.float() * step * self.scale
        if self.bias is not None:
            product = product + self.bias
        return product.view(*values.shape[:-1], self.out_features)


class Int8Embedding(HeldInInt8):
    """`nn.Embedding` with int8 rows, each with a scale of its own."""

    def __init__(self, weight: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("scale", scale)

    @classmethod
    def of(cls, embedding: nn.Embedding) -> Int8Embedding:
        """The quantised form of `embedding`."""
        return cls(*quantised(embedding.weight))

    def forward(self, ids: Tensor) -> Tensor:
        """[...] -> [..., width]."""
        return self.weight[ids].float() * self.scale[ids].unsqueeze(-1)


def hold_in_int8(module: nn.Module, *, tables: bool) -> None:
    """Put the quantised form of every linear layer below `module` in its place and, with `tables`, of every embedding.

    Beside layers there are embeddings, too: tables of relative positions, whose rows a norm may read as they are.
    """
    for name, inner in list(module.named_children()):
        if isinstance(inner, nn.Linear):
            setattr(module, name, Int8Linear.of(inner))
        elif isinstance(inner, nn.Embedding):
            if tables:
                setattr(module, name, Int8Embedding.of(inner))
        else:
            hold_in_int8(inner, tables=tables)
