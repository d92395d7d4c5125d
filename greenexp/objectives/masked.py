"""The loss of masked language modelling."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from greenexp.records.masking import NOT_MASKED


def masked_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum, over the masked tokens, of -log softmax(z)_y in nats, a scalar.

    A sum and not a mean: the number of masked tokens of a batch is the divisor for each of its parts.

    logits: [example, place, token id]; half types are computed in float32
    targets: int64 [example, place], the tokens that stood there, `NOT_MASKED` where there is none
    """
    if logits.dtype in {torch.bfloat16, torch.float16}:
        logits = logits.float()
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=NOT_MASKED, reduction="sum")


def masked_tokens(targets: Tensor) -> Tensor:
    """How many of `targets` are masked tokens, a scalar."""
    return (targets != NOT_MASKED).sum()
