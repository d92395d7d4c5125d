"""Diversity of exits: how far each prediction is from those of the exits before it."""

from __future__ import annotations

import torch
from torch import Tensor

from greenexp.objectives.distillation import softened


def diversity(logits: Tensor) -> Tensor:
    """[exit - 1]: for exits 2..M, the mean over the examples of min_{j < m} CE(p_j, p_m).

    CE(p, q) = -sum_k p[k] log q[k], p = softmax(z). The earlier exits are constants; see `methods.ensemble` for why.
    A reconstruction from the abstract and descriptions of Sun et al. 2021, whose text was not at hand.

    logits: [exit, example, class], two classes or more; half types are computed in float32
    """
    log_probabilities = softened(logits, 1.0)
    exits = logits.shape[0]
    earlier = log_probabilities.detach().exp()
    with torch.autocast(logits.device.type, enabled=False):
        each = -torch.einsum("jnk,mnk->jmn", earlier, log_probabilities)
    is_later = torch.ones(exits, exits, dtype=torch.bool, device=each.device).triu(diagonal=1)
    return each.masked_fill(~is_later[:, :, None], torch.inf)[:, 1:].amin(dim=0).mean(dim=1)
