"""What a learning-to-exit module is taught: whether the exit it looks at is wrong."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def wrongness(logits: Tensor, labels: Tensor) -> Tensor:
    """[exit, example], in [0, 1]: how wrong each exit is, a constant (no gradient reaches the logits).

    Classes: 1 - [argmax_k z_k == y], of several largest logits the first; regression: |tanh(z - y)| (Xin et al. 2021).

    logits: [exit, example, class], half types are computed in float32; labels: [example]
    """
    logits = logits.detach()
    if logits.dtype in {torch.bfloat16, torch.float16}:
        logits = logits.float()
    if logits.shape[-1] == 1:
        return torch.tanh(logits.squeeze(-1) - labels.to(logits.dtype)).abs()
    return (logits.argmax(dim=-1) != labels.long()).to(logits.dtype)


def learning_to_exit_loss(learned: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """A scalar: (1 / MN) sum_mn (u_mn - wrongness_mn)^2, mean over the M exits and N examples.

    learned: u, [exit, example], the module's outputs; logits, labels: as for `wrongness`, of the same exits
    """
    if learned.shape != logits.shape[:2]:
        raise ValueError(f"learned outputs of shape {tuple(learned.shape)} for logits of {tuple(logits.shape)}")
    return functional.mse_loss(learned, wrongness(logits, labels).to(learned.dtype))
