"""The optimisers and their learning rate over the run's own schedule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from greenexp.records.sections import Training

USUAL_MOMENTUM = 0.9
USUAL_MILESTONES = (0.5, 0.75)
"""After 32,000 and 48,000 of 64,000 steps (He et al. 2016, section 4.2)."""
USUAL_DECAY = 0.1


def scheduled_rate(step: int, steps: int, training: Training, peak: float) -> float:
    """The learning rate of optimiser step `step` (from 1) of `steps`, as `training` schedules it."""
    if training.schedule == "linear":
        return learning_rate_at(step, steps, training.warmup, peak)
    milestones = USUAL_MILESTONES if training.milestones is None else training.milestones
    decay = USUAL_DECAY if training.decay is None else training.decay
    return stepped_rate_at(step, steps, training.warmup, peak, milestones, decay)


def learning_rate_at(step: int, steps: int, warmup: float, peak: float) -> float:
    """The learning rate of optimiser step `step` (from 1) of `steps`.

    peak x min(step / (W + 1), (steps - step + 1) / (steps - W)), W = floor(warmup x steps): a linear rise, the peak
    at step W + 1, a linear fall to peak / (steps - W). Never 0, so that no step is wasted.
    """
    rising = min(int(warmup * steps), steps - 1)
    return peak * min(step / (rising + 1), (steps - step + 1) / (steps - rising))


def stepped_rate_at(
    step: int, steps: int, warmup: float, peak: float, milestones: Sequence[float], decay: float
) -> float:
    """The learning rate of optimiser step `step` (from 1) of `steps`.

    peak x min(1, step / (W + 1)) x decay^k, W as in `learning_rate_at`, k the milestones s with step > round(s steps).
    """
    rising = min(int(warmup * steps), steps - 1)
    passed = sum(step > round(share * steps) for share in milestones)
    return peak * min(1.0, step / (rising + 1)) * decay**passed


def make_optimiser(
    parameters: Iterable[nn.Parameter], training: Training, *, stacked: bool = False
) -> torch.optim.Optimizer:
    """AdamW, or SGD with momentum; decay on matrices only, not on biases and norms (with fewer than two dimensions).

    Parameters that get no gradient in a step stay exactly as they are. The learning rate is set before every step.
    stacked: whether they have one dimension more, over several models
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in parameters:
        (decayed if parameter.ndim - stacked >= 2 else plain).append(parameter)
    both = [{"params": decayed, "weight_decay": training.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    groups = [group for group in both if group["params"]]
    if training.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=0.0, fused=True)
    momentum = USUAL_MOMENTUM if training.momentum is None else training.momentum
    return torch.optim.SGD(groups, lr=0.0, momentum=momentum)


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """The same learning rate for all groups."""
    for group in optimiser.param_groups:
        group["lr"] = value
