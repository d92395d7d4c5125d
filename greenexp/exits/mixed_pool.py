"""The internal classifier of Shallow-Deep networks (Kaya et al. 2019), for images and for text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from greenexp.exits.base import ExitHead, ExitInput, ExitPlace
from greenexp.exits.linear import INITIAL_STANDARD_DEVIATION
from greenexp.records.costs import BlockCost, MatmulCost

GRID = 4
"""Squares of a feature map in each direction."""


@dataclass(frozen=True)
class MixedPool:
    """logits = W dropout(alpha max_t h_t + (1 - alpha) mean_t h_t) + b over an example's tokens; HK + K + 1 parameters.

    Of images maximum and mean go over each of 4 x 4 squares that a feature map of H channels is cut into, as in the
    official code, so that W has 16 HK weights; a sentence has one axis, so there they go over all of its tokens,
    padding left out. alpha is a trained number per exit, unconstrained, drawn from [0, 1) at first. Source: Kaya, Hong,
    Dumitras, ICML 2019; repository yigitcankaya/Shallow-Deep-Networks@a5564462.

    dropout: probability, while training; official: none
    """

    reads_maps: ClassVar[bool] = True

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def build(self, place: ExitPlace) -> MixedPoolHead:
        """See `HeadPlugin.build`."""
        inputs = place.hidden_size * (GRID**2 if place.reads_maps else 1)
        return MixedPoolHead(inputs, place.num_labels, self.dropout)


class MixedPoolHead(ExitHead):
    """See `MixedPool`."""

    reads_pooled = False

    def __init__(self, inputs: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.rand(()))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(inputs, num_labels)
        nn.init.normal_(self.classifier.weight, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        hidden = state.hidden
        if hidden.ndim == 4:
            largest, mean = _squares(hidden)
        elif state.padding is None:
            largest, mean = hidden.amax(dim=1), hidden.mean(dim=1)
        else:
            real = state.padding.unsqueeze(-1)
            largest = hidden.masked_fill(~real, -torch.inf).amax(dim=1)
            mean = hidden.masked_fill(~real, 0.0).sum(dim=1) / real.sum(dim=1)
        logits: Tensor = self.classifier(self.dropout(torch.lerp(mean, largest, self.alpha.to(mean.dtype))))
        return logits

    def matmuls(self, batch_size: int, length: int) -> BlockCost:  # noqa: ARG002 - one vector per example
        """See `ExitHead.matmuls`."""
        # Its input already went through alpha, so that it needs a gradient whenever the head trains.
        return (MatmulCost(2 * batch_size * self.classifier.in_features * self.classifier.out_features, inner=True),)


def _squares(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum and mean over the squares of feature maps [example, channel, row, column]: [example, 16 x channels] each.

    Sides are multiples of 4. By reshaping, since the pooling functions have no deterministic gradient on a GPU.
    """
    examples, channels, rows, columns = maps.shape
    cut = maps.reshape(examples, channels, GRID, rows // GRID, GRID, columns // GRID)
    return cut.amax(dim=(3, 5)).flatten(1), cut.mean(dim=(3, 5)).flatten(1)
