"""Losses against the labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def exit_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """[exit]: each exit's mean loss over the examples, all exits in one call.

    Cross-entropy in nats, -log softmax(z)_y; with a single class mean squared error, (z - y)^2 (regression, as PABEE).

    logits: [exit, example, class], any floating type; half types are computed and returned in float32
    labels: [example]: class numbers, or real targets if there is one class

    Raises ValueError for labels of another shape, which broadcasting would turn into other losses.
    """
    if labels.shape != logits.shape[1:2]:
        raise ValueError(f"labels of shape {tuple(labels.shape)} for logits of {tuple(logits.shape)}")
    if logits.dtype in {torch.bfloat16, torch.float16}:
        logits = logits.float()
    exits, examples, classes = logits.shape
    if classes == 1:
        return (logits.squeeze(-1) - labels.to(logits.dtype)).square().mean(dim=1)
    targets = labels.long().expand(exits, examples)
    each = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return each.view(exits, examples).mean(dim=1)
