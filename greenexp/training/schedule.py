"""AdamW and its learning rate over the run's own schedule."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def learning_rate_at(step: int, steps: int, warmup: float, peak: float) -> float:
    """The learning rate of optimiser step `step` (from 1) of `steps`.

    peak x min(step / (W + 1), (steps - step + 1) / (steps - W)), W = floor(warmup x steps): a linear rise, the peak
    at step W + 1, a linear fall to peak / (steps - W). Never 0, so that no step is wasted.
    """
    rising = min(int(warmup * steps), steps - 1)
    return peak * min(step / (rising + 1), (steps - step + 1) / (steps - rising))


def make_optimiser(
    parameters: Iterable[nn.Parameter], weight_decay: float, *, stacked: bool = False
) -> torch.optim.AdamW:
    """AdamW; decay on matrices only, not on biases and norms (everything with fewer than two dimensions).

    Parameters that get no gradient in a step stay exactly as they are. The learning rate is set before every step.
    stacked: whether they have one dimension more, over several models
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in parameters:
        (decayed if parameter.ndim - stacked >= 2 else plain).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0, fused=True)


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """The same learning rate for all groups."""
    for group in optimiser.param_groups:
        group["lr"] = value
