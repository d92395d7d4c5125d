"""The student and teacher classifier of FastBERT (Liu et al. 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from greenexp.errors import InputError
from greenexp.exits.base import ExitHead, ExitInput, ExitPlace
from greenexp.records.costs import BlockCost, MatmulCost


@dataclass(frozen=True)
class Attention:
    """x_t = tanh(D h_t); a = self-attention(x)_1, over an example's tokens; logits = V tanh(U a); biases throughout.

    D: H -> w; query, key, value and output: w -> w; U: w -> w; V: w -> K; Hw + 5w^2 + wK weights per exit.
    Source: autoliuweijie/FastBERT@859632f6. Departures: only the first token's attention is computed, as nothing else
    is read, so a head costs fewer FLOPs than the official one; the official `pooling="mean"`, which averages over the
    hidden axis instead of the tokens, is not offered.

    width: w; heads: of the attention; dropout: of attention probabilities, while training
    """

    width: Annotated[int, Field(ge=1)] = 128
    heads: Annotated[int, Field(ge=1)] = 2
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise InputError(f"attention: width ({self.width}) must be a multiple of heads ({self.heads})")

    def build(self, place: ExitPlace) -> AttentionHead:
        """See `HeadPlugin.build`."""
        return AttentionHead(place.hidden_size, place.num_labels, self.width, self.heads, self.dropout)


class AttentionHead(ExitHead):
    """See `Attention`."""

    reads_pooled = False

    def __init__(self, hidden_size: int, num_labels: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        # torch's own initial weights, as official: at the encoder's 0.02 six narrow layers would leave next to nothing.
        self.narrow = nn.Linear(hidden_size, width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.dense = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_labels)

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        tokens = torch.tanh(self.narrow(state.hidden))
        examples, length, width = tokens.shape
        query = self.query(tokens[:, 0]).view(examples, self.heads, 1, -1)
        both = self.key_value(tokens).view(examples, length, 2, self.heads, width // self.heads)
        key, value = both[:, :, 0].permute(0, 2, 3, 1), both[:, :, 1].transpose(1, 2)
        scores = torch.matmul(query, key) / math.sqrt(width // self.heads)
        if state.padding is not None:
            scores = scores.masked_fill(~state.padding[:, None, None, :], -torch.inf)
        attention = self.dropout(torch.softmax(scores, dim=-1))
        seen = torch.matmul(attention, value).reshape(examples, width)
        logits: Tensor = self.classifier(torch.tanh(self.dense(self.output(seen))))
        return logits

    def matmuls(self, batch_size: int, length: int) -> BlockCost:
        """See `ExitHead.matmuls`."""
        width, tokens = self.narrow.out_features, batch_size * length
        inside = (
            2 * batch_size * width**2,  # query of the first token
            2 * tokens * width * 2 * width,  # keys and values
            2 * batch_size * width**2,  # attention output
            2 * batch_size * width**2,  # dense
            2 * batch_size * width * self.classifier.out_features,
        )
        attention = MatmulCost(2 * tokens * width, weight=False, inner=True)  # one query per example
        return (
            MatmulCost(2 * tokens * self.narrow.in_features * width),
            attention,
            attention,
            *(MatmulCost(flops, inner=True) for flops in inside),
        )
