"""The off-ramp of DeeBERT (Xin et al. 2020), also of RomeBERT and ElasticBERT: an exit with a pooler of its own."""

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
class Pooled:
    """logits = W dropout(tanh(P h + p)) + b, h the first token's state; H^2 + H + HK + K parameters per exit.

    P and p start as the backbone's pretrained pooler of that layer (`backbone.pooling: pooler`), else anew. Source:
    castorini/DeeBERT@563eac1c.

    dropout: probability, while training
    untrained_last_below: for comparison with DeeBERT's official code, whose last layer holds two classifiers: the
        trained one, and an off-ramp that no stage trains, which answers if the entropy of its prediction is below the
        threshold, in nats. With a number the last exit does the same whenever it does not train; what the second
        classifier costs is not counted. None: the trained one answers
    """

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    untrained_last_below: float | None = None

    def build(self, place: ExitPlace) -> PooledHead:
        """See `HeadPlugin.build`."""
        below = self.untrained_last_below
        if below is None or place.number != place.exits:
            return PooledHead(place.hidden_size, place.num_labels, self.dropout)
        return TwiceAnsweringHead(place.hidden_size, place.num_labels, self.dropout, below)


class PooledHead(ExitHead):
    """See `Pooled`."""

    reads_pooled = False

    def __init__(self, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.pooler = nn.Linear(hidden_size, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_size, num_labels)
        for layer in (self.pooler, self.classifier):
            nn.init.normal_(layer.weight, std=INITIAL_STANDARD_DEVIATION)
            nn.init.zeros_(layer.bias)

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        pooled = torch.tanh(self.pooler(state.hidden[:, 0]))
        logits: Tensor = self.classifier(self.dropout(pooled) if self.training else pooled)
        return logits

    def matmuls(self, batch_size: int, length: int) -> BlockCost:  # noqa: ARG002 - one vector per example
        """See `ExitHead.matmuls`."""
        width, classes = self.pooler.in_features, self.classifier.out_features
        return MatmulCost(2 * batch_size * width**2), MatmulCost(2 * batch_size * width * classes, inner=True)

    def start_from(self, pooler: nn.Linear | None) -> None:
        """See `ExitHead.start_from`."""
        if pooler is not None:
            with torch.no_grad():
                self.pooler.weight.copy_(pooler.weight)
                self.pooler.bias.copy_(pooler.bias)


class TwiceAnsweringHead(PooledHead):
    """See `Pooled.untrained_last_below`."""

    def __init__(self, hidden_size: int, num_labels: int, dropout: float, below: float) -> None:
        super().__init__(hidden_size, num_labels, dropout)
        self.below = below
        # Buffers: they never train, and yet a checkpoint must hold them.
        self.register_buffer("untrained_pooler", self.pooler.weight.detach().clone())
        self.register_buffer("untrained_pooler_bias", self.pooler.bias.detach().clone())
        drawn = torch.empty_like(self.classifier.weight, requires_grad=False)
        self.register_buffer("untrained_classifier", drawn.normal_(std=INITIAL_STANDARD_DEVIATION))

    untrained_pooler: Tensor
    untrained_pooler_bias: Tensor
    untrained_classifier: Tensor

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        trained = super().forward(state)
        if self.training:
            return trained
        pooled = torch.tanh(nn.functional.linear(state.hidden[:, 0], self.untrained_pooler, self.untrained_pooler_bias))
        untrained = nn.functional.linear(pooled, self.untrained_classifier)
        return untrained_if_sure(untrained, trained, self.below)

    def start_from(self, pooler: nn.Linear | None) -> None:
        """See `ExitHead.start_from`."""
        super().start_from(pooler)
        if pooler is not None:
            self.untrained_pooler.copy_(pooler.weight.detach())
            self.untrained_pooler_bias.copy_(pooler.bias.detach())


def untrained_if_sure(untrained: Tensor, trained: Tensor, below: float) -> Tensor:
    """[example, class]: `untrained` where the entropy of its softmax is below `below` nats, `trained` elsewhere."""
    log_probabilities = torch.log_softmax(untrained.float() if untrained.dtype.itemsize < 4 else untrained, dim=-1)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(dim=-1, keepdim=True)
    return torch.where(entropy < below, untrained, trained)
