"""Joint training: one weighted sum of the exits' losses, one forward and one backward pass per step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from greenexp.methods.base import MethodRun, Stage, TrialShape
from greenexp.objectives import exit_losses


class JointRun(MethodRun):
    """loss = sum_i w_i CE_i over the exits with w_i > 0 (MSE for regression), all parts trained together.

    An exit whose weight is 0 is not trained: it is neither computed nor evaluated.
    """

    def __init__(self, shape: TrialShape, weights: Sequence[float]) -> None:
        super().__init__(shape)
        used = [(number, weight) for number, weight in zip(shape.exits, weights, strict=True) if weight > 0]
        self._weights = torch.tensor([weight for _, weight in used], dtype=torch.float64)
        self._stage = Stage(1, 1, shape.epochs, exits=tuple(number for number, _ in used))

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.loss`."""
        losses = exit_losses(logits, labels)
        return (self._weights.to(losses) * losses).sum()
