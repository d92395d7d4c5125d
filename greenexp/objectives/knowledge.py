"""What a student learns from a teacher that is another model: its answers, its hidden states, its attention."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from greenexp.objectives.distillation import softened

Reduction = Literal["batchmean", "mean"]


def soft_targets(student: Tensor, teacher: Tensor, temperature: float, reduction: Reduction = "batchmean") -> Tensor:
    """[exit]: T^2 KL(p_t || p_s) in nats, p = softmax(z / T), a mean over the examples, or over examples and classes.

    The factor T^2 keeps the gradients on one scale whatever T (Hinton et al. 2015, section 2). The teacher is constant.

    student: logits [exit, example, class]; teacher: [example, class]; half types are computed in float32
    """
    own = softened(student, temperature)
    his = softened(teacher.detach().to(own.dtype), temperature)
    each = (his.exp() * (his - own)).sum(dim=-1)
    found = each.mean(dim=1) * temperature**2
    return found if reduction == "batchmean" else found / student.shape[-1]


def soft_cross_entropy(student: Tensor, teacher: Tensor, temperature: float, reduction: Reduction) -> Tensor:
    """[exit]: -sum_k p_t[k] log p_s[k] with p = softmax(z / T), without T^2; means as in `soft_targets`.

    TinyBERT (Jiao et al. 2020, eq. 10); its official code takes the mean over examples and classes.
    """
    own = softened(student, temperature)
    his = softened(teacher.detach().to(own.dtype), temperature)
    each = -(his.exp() * own).sum(dim=-1)
    return each.mean(dim=1) if reduction == "batchmean" else each.mean(dim=1) / student.shape[-1]


def patient_loss(student: Tensor, teacher: Tensor, *, normalised: bool = True) -> Tensor:
    """Mean squared difference of states, over examples, layers and components (Sun et al. 2019, eq. 7, as a mean).

    normalised: whether each state is divided by its Euclidean norm before. The teacher is constant.
    student, teacher: [example, layer, hidden]
    """
    wide = torch.promote_types(student.dtype, torch.float32)
    own, his = student.to(wide), teacher.detach().to(wide)
    if normalised:
        own, his = functional.normalize(own, dim=-1), functional.normalize(his, dim=-1)
    return (own - his).square().mean()


def state_distance(student: Tensor, teacher: Tensor, real: Tensor | None) -> Tensor:
    """Mean squared difference of states (Jiao et al. 2020, eq. 8 and 9), over the real tokens of each example.

    mean over examples of the mean over its real tokens and the components. The teacher is constant.

    student, teacher: [example, token, width]; real: bool [example, token], None: all are
    """
    each = _squared(student, teacher).mean(dim=-1)
    return _over_real(each, torch.ones_like(each) if real is None else real.to(each.dtype))


def score_distance(student: Tensor, teacher: Tensor, real: Tensor | None) -> Tensor:
    """Mean squared difference of attention scores before the softmax (Jiao et al. 2020, eq. 7, on raw scores).

    mean over examples of the mean over heads and over all pairs of its real tokens. The teacher is constant.

    student, teacher: [example, head, query, key], without a mask; real: bool [example, token], None: all are
    """
    each = _squared(student, teacher).mean(dim=1)
    if real is None:
        return _over_real(each, torch.ones_like(each))
    weight = real.to(each.dtype)
    return _over_real(each, weight.unsqueeze(1) * weight.unsqueeze(2))


def _squared(student: Tensor, teacher: Tensor) -> Tensor:
    wide = torch.promote_types(student.dtype, torch.float32)
    return (student.to(wide) - teacher.detach().to(wide)).square()


def _over_real(each: Tensor, weight: Tensor) -> Tensor:
    """Mean over examples of the mean, weighted by `weight`, over all other axes."""
    return ((each * weight).flatten(1).sum(dim=1) / weight.flatten(1).sum(dim=1)).mean()
