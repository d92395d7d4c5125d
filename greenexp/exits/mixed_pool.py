"""The internal classifier of Shallow-Deep networks (Kaya et al. 2019), for text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from greenexp.exits.base import ExitHead, ExitInput, ExitPlace
from greenexp.exits.linear import INITIAL_STANDARD_DEVIATION
from greenexp.records.costs import BlockCost, MatmulCost


@dataclass(frozen=True)
class MixedPool:
    """logits = W dropout(alpha max_t h_t + (1 - alpha) mean_t h_t) + b over an example's tokens; HK + K + 1 parameters.

    alpha is a trained number per exit, unconstrained, drawn from [0, 1) at first. Source: Kaya, Hong, Dumitras, ICML
    2019; repository yigitcankaya/Shallow-Deep-Networks@a5564462, where maximum and mean go over squares of a feature
    map; a sentence has one axis, so they go over all of its tokens, padding left out.

    dropout: probability, while training; official: none
    """

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def build(self, place: ExitPlace) -> MixedPoolHead:
        """See `HeadPlugin.build`."""
        return MixedPoolHead(place.hidden_size, place.num_labels, self.dropout)


class MixedPoolHead(ExitHead):
    """See `MixedPool`."""

    reads_pooled = False

    def __init__(self, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.rand(()))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_size, num_labels)
        nn.init.normal_(self.classifier.weight, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        hidden = state.hidden
        if state.padding is None:
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
