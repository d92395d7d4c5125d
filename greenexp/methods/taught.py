"""What all methods with a teacher from another sweep have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from greenexp.backbones.base import EncoderState
from greenexp.errors import InputError
from greenexp.methods.base import MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.methods.teacher import Teacher, check_start, load_teacher, start_from
from greenexp.model import ExitOutputs, MultiExitModel
from greenexp.records.costs import ALL_PARTS, Part, Pass

Exits = Literal["last", "all"]
Visited = dict[int, EncoderState]


class TaughtRun(MethodRun):
    """A student trained in one stage, with the answers of a teacher at hand.

    method: its name, for messages; source: what the sweep file says of the teacher; exits: which of them train
    parts: of the student that train; starts: whether it starts from the teacher's weights
    """

    def __init__(
        self,
        method: str,
        shape: TrialShape,
        source: str,
        exits: Exits,
        parts: frozenset[Part] = ALL_PARTS,
        *,
        starts: bool = False,
    ) -> None:
        super().__init__(shape)
        self.method = method
        self.taught_by: Teacher = load_teacher(source, shape)
        if starts:
            check_start(self.taught_by, method)
        self.teacher = self.taught_by.model
        self._stage = Stage(1, 1, shape.epochs, exits=shape.exits if exits == "all" else shape.exits[-1:], parts=parts)

    @property
    def teacher_model(self) -> MultiExitModel:
        """The teacher."""
        return self.taught_by.model

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:
        """See `MethodRun.passes`: the teacher's forward pass, then the student's own."""
        return (Pass((self.taught_by.exit,), (), teacher=True), *super().passes(epoch, step))

    def initialise(self, model: MultiExitModel) -> None:
        """See `MethodRun.initialise`: refuses a teacher that reads other tokens."""
        own, his = model.backbone.vocab_size, self.taught_by.model.backbone.vocab_size
        if own != his:
            raise InputError(f"method.teacher: {self.method}: the teacher reads {his} token ids, the student {own}")
        self.taught_by.model.to(next(model.parameters()).device)

    def start_from_teacher(self, model: MultiExitModel, layers: Sequence[int]) -> None:
        """Let the student's weights be the teacher's, its layers those of `layers`."""
        start_from(model, self.taught_by, tuple(layers), self.method)

    def asked(self, context: StepContext, micro: MicroBatch, visited: Visited | None = None) -> Tensor:
        """The teacher's logits [example, class], without gradients; `visited` gets its states by layer."""
        with torch.no_grad():
            found = outputs(context, self.taught_by.model, micro, (self.taught_by.exit,), visited)
        return found.logits[0]

    def tried(self, context: StepContext, micro: MicroBatch, visited: Visited | None = None) -> Tensor:
        """The student's logits [exit, example, class] at the exits that train; `visited` gets its states by layer."""
        found = outputs(context, context.model, micro, self._stage.exits, visited)
        return torch.stack(found.logits)


def outputs(
    context: StepContext, model: MultiExitModel, micro: MicroBatch, exits: Sequence[int], visited: Visited | None
) -> ExitOutputs:
    """What `exits` say, under the trainer's precision; `visited` gets the state after every layer, 0 first."""
    visit = None if visited is None else visited.__setitem__
    with context.precision():
        return model.outputs(micro.inputs, exits, visit=visit)
