"""The exit of Schwartz et al. (2020): a learned mix of the pooled vectors of all layers up to its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from greenexp.exits.base import ExitHead, ExitInput, ExitPlace
from greenexp.exits.linear import INITIAL_STANDARD_DEVIATION
from greenexp.records.costs import BlockCost, MatmulCost

Normalisation = Literal["l2", "softmax"]


@dataclass(frozen=True)
class ScalarMix:
    """logits = W dropout(sum_{j <= l} s_j pooled_j) + b, for the exit after layer l.

    pooled_j is the backbone's shared pooling after layer j, whether or not there is an exit; s comes from one free
    number a_j per layer, own to the exit and equal at first. hidden x classes + classes + l parameters.
    Source: repository allenai/sledgehammer@03982da9, where s never trains: it is re-created at every step, while the
    optimiser holds the first one; so there the mix stays a random unit vector, of random signs. Here it trains, and
    starts even-handed. The official code drops out each pooled_j, we the mix.

    dropout: probability, while training
    normalisation: `l2` s = a / |a|, of either sign (official); `softmax` s = softmax(a), a weighted mean
    """

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    normalisation: Normalisation = "l2"

    def build(self, place: ExitPlace) -> ScalarMixHead:
        """See `HeadPlugin.build`."""
        return ScalarMixHead(place.hidden_size, place.num_labels, place.layer, self.dropout, self.normalisation)


class ScalarMixHead(ExitHead):
    """See `ScalarMix`."""

    reads_earlier = True

    def __init__(
        self, hidden_size: int, num_labels: int, layer: int, dropout: float, normalisation: Normalisation
    ) -> None:
        super().__init__()
        self.normalisation = normalisation
        self.mix = nn.Parameter(torch.ones(layer))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_size, num_labels)
        nn.init.normal_(self.classifier.weight, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(self.classifier.bias)

    @property
    def weights(self) -> Tensor:
        """[layer]: s."""
        if self.normalisation == "l2":
            return functional.normalize(self.mix, dim=0)
        return torch.softmax(self.mix, dim=0)

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        if len(state.earlier) != len(self.mix):
            raise ValueError(f"a mix of {len(self.mix)} layers was given the pooled vectors of {len(state.earlier)}")
        # A sum and no matrix product: it stays in the pooled vectors' number format, and is no work worth counting.
        pooled = torch.stack(state.earlier)
        mixed = (self.weights.to(pooled.dtype).view(-1, 1, 1) * pooled).sum(dim=0)
        logits: Tensor = self.classifier(self.dropout(mixed) if self.training else mixed)
        return logits

    def matmuls(self, batch_size: int, length: int) -> BlockCost:  # noqa: ARG002 - one vector per example
        """See `ExitHead.matmuls`; the mix, 2 l hidden per example, is no matrix product."""
        return (MatmulCost(2 * batch_size * self.classifier.in_features * self.classifier.out_features, inner=True),)
