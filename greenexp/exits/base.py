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

    hidden: [example, token, hidden]; padding: bool [example, token], True where there is a token, None if all are
    pooled: [example, hidden], the backbone's shared pooling; None for a head that does not read it
    """

    hidden: Tensor
    padding: Tensor | None = None
    pooled: Tensor | None = None


class ExitHead(nn.Module, ABC):
    """One internal classifier. `reads_pooled`: whether the shared pooler must run before it."""

    reads_pooled: bool = True

    @abstractmethod
    def forward(self, state: ExitInput) -> Tensor:
        """Logits [example, class]; one column for regression."""

    @abstractmethod
    def matmuls(self, batch_size: int, length: int) -> BlockCost:
        """Analytic forward costs, without the shared pooler; see `greenexp.records.costs`."""


class HeadPlugin(Protocol):
    """The frozen dataclass behind a name in HEADS."""

    def build(self, hidden_size: int, num_labels: int) -> ExitHead:
        """A new head on the current default device, its weights drawn from torch's generator of that device."""
