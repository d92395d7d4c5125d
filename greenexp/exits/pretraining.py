"""The exit of ElasticBERT's pre-training (Liu et al. 2022): it puts sentences in order, and predicts masked tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from greenexp.exits.base import ExitPlace
from greenexp.exits.linear import INITIAL_STANDARD_DEVIATION
from greenexp.exits.pooled import PooledHead
from greenexp.records.costs import BlockCost, MatmulCost
from greenexp.records.masking import masked_places

_NORM_EPSILON = 1e-12
"""As in the encoder's own layer norms."""


@dataclass(frozen=True)
class Pretraining:
    """Two answers after a layer: the class of the example, as `pooled` gives it, and tokens at the masked places.

    Class: logits = W dropout(tanh(P h_1 + p)) + b, h_i the state of token i. Token at place i: LN(gelu(Q h_i + q)) E^T
    + c, E the encoder's token embeddings, which all exits share (BERT's head of masked language modelling). Of each
    exit's own: P, W, Q, the norm and c; 2 H^2 + HK + K + 4 H + V parameters for V tokens.

    Costs are those of both answers, the second one at 15 % of the padded length. Only `elasticbert_pretraining` trains
    it.

    dropout: probability, while training, before the classes
    """

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def build(self, place: ExitPlace) -> PretrainingHead:
        """See `HeadPlugin.build`."""
        return PretrainingHead(place.hidden_size, place.num_labels, place.vocab_size, self.dropout)


class PretrainingHead(PooledHead):
    """See `Pretraining`."""

    predicts_tokens = True

    def __init__(self, hidden_size: int, num_labels: int, vocab_size: int, dropout: float) -> None:
        super().__init__(hidden_size, num_labels, dropout)
        self.transform = nn.Linear(hidden_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size, eps=_NORM_EPSILON)
        self.token_bias = nn.Parameter(torch.zeros(vocab_size))
        nn.init.normal_(self.transform.weight, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(self.transform.bias)

    def token_logits(self, hidden: Tensor, table: Tensor) -> Tensor:
        """See `ExitHead.token_logits`."""
        return functional.linear(self.norm(functional.gelu(self.transform(hidden))), table, self.token_bias)

    def matmuls(self, batch_size: int, length: int) -> BlockCost:
        """See `ExitHead.matmuls`."""
        width, tokens = self.transform.in_features, len(self.token_bias)
        places = batch_size * masked_places(length)
        return (
            *super().matmuls(batch_size, length),
            MatmulCost(2 * places * width**2),
            MatmulCost(2 * places * width * tokens, inner=True, tied=True),
        )
