"""What a student learns from a teacher that is another model: its answers, its hidden states, its attention."""

from __future__ import annotations

from collections.abc import Sequence
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


def masked_mean_square(student: Sequence[Tensor], teacher: Sequence[Tensor], real: Tensor | None) -> Tensor:
    """Sum over pairs of the mean squared difference between two tensors, over their real positions alone.

    student, teacher: per pair tensors of equal shape, [example, token, ...]; real: bool [example, token]; None: all are
    """
    total = student[0].new_zeros((), dtype=torch.promote_types(student[0].dtype, torch.float32))
    for own, his in zip(student, teacher, strict=True):
        difference = (own.to(total.dtype) - his.detach().to(total.dtype)).square()
        total = total + (difference if real is None else difference[real]).mean()
    return total
