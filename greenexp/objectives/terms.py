"""The loss of exits that teach each other, as a vector of terms to be weighted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from greenexp.objectives.distillation import Form, Teachers, distillation_matrix, teacher_mask
from greenexp.objectives.supervised import exit_losses


@dataclass(frozen=True, eq=False)
class MutualTerms:
    """The terms of L = sum_m w_m CE_m + sum_m sum_{t in T(m)} w_mt L_KD(t, m) / (M |T(m)|) (LeeBERT eq. 5), unweighted.

    As L is linear in the weights, the vector of terms is also its gradient with respect to them.

    exits: M; teachers: T(m), see `teacher_mask`; temperature, form: see `distillation_matrix`
    """

    exits: int
    teachers: Teachers = "all"
    temperature: float = 1.0
    form: Form = "ce"
    _places: tuple[Tensor, Tensor] = field(init=False, repr=False)
    _scale: Tensor = field(init=False, repr=False)
    _elsewhere: dict[torch.device, tuple[Tensor, Tensor, Tensor]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        mask = teacher_mask(self.exits, self.teachers)
        students, taught_by = mask.nonzero(as_tuple=True)
        # A student without teachers has no place in the list, so nothing is ever divided by |T(m)| = 0.
        scale = 1.0 / (self.exits * mask.sum(dim=1)[students].double())
        object.__setattr__(self, "_places", (students, taught_by))
        object.__setattr__(self, "_scale", scale)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(student, teacher) of every distillation term, exits numbered from 1, in the vector's order."""
        students, teachers = (places.tolist() for places in self._places)
        return tuple((student + 1, teacher + 1) for student, teacher in zip(students, teachers, strict=True))

    @property
    def groups(self) -> Mapping[str, slice]:
        """Where the two kinds of terms lie in the vector: `ce`, one per exit, then `kd`, one per pair."""
        return {"ce": slice(0, self.exits), "kd": slice(self.exits, self.exits + len(self._scale))}

    @property
    def students(self) -> Tensor:
        """[term]: the exit, from 0, whose prediction the term judges."""
        return torch.cat((torch.arange(self.exits), self._places[0]))

    def of(self, logits: Tensor, labels: Tensor) -> Tensor:
        """[term]: M cross-entropies, then one distillation term per pair; means over the examples.

        logits: [exit, example, class]; labels: [example]. Raises ValueError if there are not `exits` exits
        """
        if len(logits) != self.exits:
            raise ValueError(f"terms of {self.exits} exits were given the logits of {len(logits)}")
        supervised = exit_losses(logits, labels)
        if not len(self._scale):
            return supervised
        matrix = distillation_matrix(logits, self.temperature, self.form)
        students, teachers, scale = self._on(matrix.device)
        return torch.cat((supervised, matrix[students, teachers] * scale.to(matrix.dtype)))

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Places and scale, copied to each device once: a copy in every step would wait for a GPU."""
        if device not in self._elsewhere:
            students, teachers, scale = (one.to(device) for one in (*self._places, self._scale))
            self._elsewhere[device] = (students, teachers, scale)
        return self._elsewhere[device]
