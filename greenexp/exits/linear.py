"""The linear exit of PABEE (Zhou et al. 2020): shared pooler output -> dropout -> one linear layer per exit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor, nn

from greenexp.exits.base import ExitHead, ExitInput, ExitPlace
from greenexp.records.costs import BlockCost, MatmulCost

# As the encoders' own linear layers (BERT's initializer_range).
INITIAL_STANDARD_DEVIATION = 0.02


@dataclass(frozen=True)
class Linear:
    """logits = W dropout(pooled) + b; hidden x classes + classes parameters per exit.

    Of images pooled is the mean over the feature map, whose channels are the hidden size of the exit's layer.

    dropout: probability, while training
    """

    reads_maps: ClassVar[bool] = True

    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def build(self, place: ExitPlace) -> LinearHead:
        """See `HeadPlugin.build`."""
        return LinearHead(place.hidden_size, place.num_labels, self.dropout)


class LinearHead(ExitHead):
    """See `Linear`."""

    def __init__(self, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_size, num_labels)
        nn.init.normal_(self.classifier.weight, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, state: ExitInput) -> Tensor:
        """See `ExitHead.forward`."""
        if state.pooled is None:
            raise ValueError("a linear exit reads the shared pooler's output, but none was given")
        # In evaluation dropout changes nothing, but calling it costs as much as the classifier.
        logits: Tensor = self.classifier(self.dropout(state.pooled) if self.training else state.pooled)
        return logits

    def matmuls(self, batch_size: int, length: int) -> BlockCost:  # noqa: ARG002 - one vector per example
        """See `ExitHead.matmuls`."""
        return (MatmulCost(2 * batch_size * self.classifier.in_features * self.classifier.out_features),)
