"""How far students' predictions are from one teacher's."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Direction = Literal["teacher_first", "student_first"]


def divergences(students: Tensor, teacher: Tensor, direction: Direction = "teacher_first") -> Tensor:
    """[exit]: Kullback-Leibler divergence in nats between each student's and the teacher's softmax, mean over examples.

    `teacher_first`: KL(p_t || p_s) = sum_k p_t[k] log(p_t[k] / p_s[k]); `student_first`: KL(p_s || p_t). The teacher is
    a constant. Logits however large give finite values.

    students: logits [exit, example, class]; teacher: [example, class]; half types are computed in float32
    """
    if direction not in ("teacher_first", "student_first"):
        raise ValueError(f"direction: expected teacher_first or student_first, got {direction!r}")
    wide = torch.promote_types(students.dtype, torch.float32)
    student = torch.log_softmax(students.to(wide), dim=-1)
    constant = torch.log_softmax(teacher.detach().to(wide), dim=-1)
    if direction == "teacher_first":
        each = (constant.exp() * (constant - student)).sum(dim=-1)
    else:
        each = (student.exp() * (student - constant)).sum(dim=-1)
    return each.mean(dim=1)
