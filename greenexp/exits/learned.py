"""The learning-to-exit module of BERxiT (Xin et al. 2021): one small layer for all exits that says whether to go on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from greenexp.exits.linear import INITIAL_STANDARD_DEVIATION
from greenexp.records.costs import BlockCost, MatmulCost


class LearnedExit(nn.Module):
    """u = sigmoid(w . pooled + b), shared by all exits: how uncertain the exit's answer is, 1 = certainly wrong.

    hidden + 1 parameters. It reads what the shared pooling sees after an exit's layer, [example, hidden].
    """

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.scorer = nn.Linear(hidden_size, 1)
        nn.init.normal_(self.scorer.weight, std=INITIAL_STANDARD_DEVIATION)
        nn.init.zeros_(self.scorer.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """[example], in [0, 1], float32 or wider; pooled: [example, hidden]."""
        score: Tensor = self.scorer(pooled).squeeze(-1)
        return torch.sigmoid(score.float() if score.dtype in {torch.bfloat16, torch.float16} else score)

    def matmuls(self, batch_size: int) -> BlockCost:
        """Forward costs of one application; see `greenexp.records.costs`."""
        return (MatmulCost(2 * batch_size * self.scorer.in_features),)
