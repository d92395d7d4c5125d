"""Distillation among exits: every exit a student of every other, in one matrix."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Form = Literal["ce", "kl"]
Teachers = Literal["last", "later", "all"]


def distillation_matrix(logits: Tensor, temperature: float | Tensor, form: Form = "ce") -> Tensor:
    """[student, teacher]: how far each exit's softened prediction is from each other's, mean over the examples.

    L_KD(t, s) = -tau^2 sum_k p_t[k] log p_s[k] with p = softmax(z / tau) (Zhu 2021, LeeBERT, eq. 2-3); the factor tau^2
    keeps gradients on one scale whatever tau. Teachers are constants: no gradient reaches them. `kl` subtracts the
    teacher's entropy, tau^2 H(p_t): the same gradient for the student, another value; its diagonal is 0.

    logits: [exit, example, class], two classes or more, any floating type; half types are computed in float32
    temperature: tau > 0, one number, as a float or a tensor without axes
    """
    if form not in ("ce", "kl"):
        raise ValueError(f"form: expected ce or kl, got {form!r}")
    log_probabilities = softened(logits, temperature)
    examples = logits.shape[1]
    teachers = log_probabilities.detach().exp()
    with torch.autocast(logits.device.type, enabled=False):  # einsum would otherwise round to a half type
        matrix = torch.einsum("snk,tnk->st", log_probabilities, teachers)
    matrix = matrix * (-(temperature**2) / examples)
    return matrix - matrix.detach().diagonal() if form == "kl" else matrix


def softened(logits: Tensor, temperature: float | Tensor) -> Tensor:
    """The log of softmax(z / tau) over the last axis, in float32 or wider.

    Raises ValueError for a single class, and for a tau that is not one number above 0 (a tensor's value is not looked
    at: that would wait for a GPU).
    """
    if temperature.ndim > 0 if isinstance(temperature, Tensor) else not temperature > 0:
        raise ValueError(f"temperature: expected one number above 0, got {temperature!r}")
    if logits.shape[-1] < 2:
        raise ValueError("distillation needs two classes or more: a single output is no distribution")
    if logits.dtype in {torch.bfloat16, torch.float16}:
        logits = logits.float()
    return torch.log_softmax(logits / temperature, dim=-1)


def teacher_mask(exits: int, teachers: Teachers) -> Tensor:
    """[student, teacher]: whether the exit of the column teaches that of the row.

    `last`: T(m) = {M}, T(M) = {} (FastBERT, Phuong & Lampert); `later`: t > m (LeeBERT-LLE); `all`: t != m (LeeBERT).
    """
    if exits < 1:
        raise ValueError(f"exits: expected 1 or more, got {exits}")
    everyone = torch.ones(exits, exits, dtype=torch.bool)
    if teachers == "all":
        return everyone ^ torch.eye(exits, dtype=torch.bool)
    if teachers == "later":
        return everyone.triu(diagonal=1)
    if teachers == "last":
        mask = torch.zeros_like(everyone)
        mask[:-1, -1] = True
        return mask
    raise ValueError(f"teachers: expected last, later or all, got {teachers!r}")
