"""What an exit head sees and returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from greenexp.records.costs import BlockCost


@dataclass(frozen=True, slots=True)
class ExitInput:
    """The state after an exit's layer.

    hidden: [example, token, hidden], of images [example, channel, row, column]
    padding: bool [example, token], True where there is a token, None if all are
    pooled: [example, hidden], the backbone's shared pooling; None for a head that does not read it
    earlier: the shared pooling after each layer from 1 to this one, each [example, hidden]; empty for a head that does
        not read it
    """

    hidden: Tensor
    padding: Tensor | None = None
    pooled: Tensor | None = None
    earlier: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class ExitPlace:
    """Where a head will sit.

    hidden_size: of the backbone at this layer; num_labels: classes, 1 for regression
    number: of the exit, from 1; layer: after which it sits, from 1; exits: how many there are
    vocab_size: token ids of the backbone; reads_maps: whether its states are feature maps of images
    """

    hidden_size: int
    num_labels: int
    number: int = 1
    layer: int = 1
    exits: int = 1
    vocab_size: int = 0
    reads_maps: bool = False


class ExitHead(nn.Module, ABC):
    """One internal classifier.

    reads_pooled: whether the shared pooler must run before it
    reads_earlier: whether it also reads the shared pooling after every layer below its own
    predicts_tokens: whether it also predicts masked tokens, see `token_logits`
    """

    reads_pooled: bool = True
    reads_earlier: bool = False
    predicts_tokens: bool = False

    @abstractmethod
    def forward(self, state: ExitInput) -> Tensor:
        """Logits [example, class]; one column for regression."""

    @abstractmethod
    def matmuls(self, batch_size: int, length: int) -> BlockCost:
        """Analytic forward costs, without the shared pooler; see `greenexp.records.costs`."""

    def token_logits(self, hidden: Tensor, table: Tensor) -> Tensor:  # noqa: ARG002 - most predict none
        """Logits [example, place, token id] of the tokens at some places.

        hidden: [example, place, hidden], the states there; table: [token id, hidden], the token embeddings
        """
        raise RuntimeError(f"{type(self).__name__} predicts no tokens")

    def start_from(self, pooler: nn.Linear | None) -> None:
        """Take over the pretrained pooler of this exit's layer (None: there is none). Called once, after the build."""


class HeadPlugin(Protocol):
    """The frozen dataclass behind a name in HEADS.

    One whose heads can also sit on feature maps of images says so in a class variable `reads_maps`.
    """

    def build(self, place: ExitPlace) -> ExitHead:
        """A new head on the current default device, its weights drawn from torch's generator of that device."""
