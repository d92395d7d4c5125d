"""Weights that are zero."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from greenexp.compression.base import EncoderView


def matrices(encoder: EncoderView) -> Sequence[nn.Parameter]:
    """The weight matrices of the layers, each once; tables of positions are embeddings."""
    tables = {id(table) for table in encoder.position_tables()}
    return [weight for weight in encoder.layer_parameters() if weight.ndim > 1 and id(weight) not in tables]


def prune_to(weight: Tensor, share: float) -> None:
    """Make `share` of the entries zero (rounded half up), those of smallest absolute value; of equal ones the first."""
    count = int(share * weight.numel() + 0.5)
    if count > 0 and weight.device.type != "meta":
        smallest = torch.sort(weight.detach().abs().flatten(), stable=True).indices[:count]
        weight.detach().view(-1)[smallest] = 0
