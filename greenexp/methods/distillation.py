"""Distillation of a teacher's answers into a smaller model (Hinton et al. 2015, DistilBERT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import Method, MicroBatch, StepContext, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.methods.depth import check_depth, cut_to
from greenexp.methods.taught import Exits, TaughtRun
from greenexp.methods.teacher import Teacher, spread
from greenexp.model import MultiExitModel
from greenexp.objectives import exit_losses
from greenexp.objectives.knowledge import Reduction, soft_targets
from greenexp.records.settings import ModelSettings

Start = Literal["spread", "first", "backbone"]


@dataclass(frozen=True)
class Distillation(Method):
    """A student of fewer layers learns the labels and the softened answers of a trained teacher.

    Formula: L = (1 - alpha) CE + alpha T^2 KL(p_t || p_s), p = softmax(z / T).
    Symbols: z logits of teacher t (constant, without dropout) and student s, T temperature, CE mean cross-entropy.
    Source: Hinton, Vinyals and Dean 2015; Sanh et al., arXiv 1910.01108, 2019 (DistilBERT), whose student starts from
    every other layer of its teacher; huggingface/transformers-research-projects, `distillation`.
    Official hyperparameters: alpha 0.5, T 2 (fine-tuning with a second distillation); layers 1, 3, 5, 8, 10, 12 of 12.
    Departures: DistilBERT distils in pre-training, with a masked-language-model and a cosine loss; here the trained
    teacher of the task itself is distilled, on the task's training set.
    The teacher is trained in a sweep of its own, whose costs belong to those of this search.
    Classification only: a regression task is refused.
    Passes: a forward pass of the teacher, a forward and a backward pass of the student.

    teacher: folder of a sweep, whose chosen model it is, or of a model, relative to the working directory
    layers: number of layers of the student, the first of the backbone's; None: all of the backbone's
    initial: what the student starts from: evenly `spread` layers of the teacher, its `first` ones, its own `backbone`
    alpha: weight of the teacher against the labels; temperature: T
    reduction: of the divergence: `batchmean` over the examples, or `mean` over examples and classes
    exits: `last` trains the last exit, `all` the mean over all of them, each with the same formula
    """

    teacher: str
    layers: Annotated[int, Field(ge=1)] | None = None
    initial: Start = "spread"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 2.0
    reduction: Reduction = "batchmean"
    exits: Exits = "last"

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """See `Method.adapt`."""
        return cut_to(settings, self.layers, "distillation")

    def begin(self, shape: TrialShape) -> DistillationRun:
        """See `Method.begin`."""
        refuse_regression("distillation", shape)
        check_depth(shape, self.layers, "distillation")
        return DistillationRun(shape, self)


class DistillationRun(TaughtRun):
    """One trial of `Distillation`."""

    adds_up = True

    def __init__(self, shape: TrialShape, method: Distillation) -> None:
        super().__init__("distillation", shape, method.teacher, method.exits, starts=method.initial != "backbone")
        self._method = method

    def initialise(self, model: MultiExitModel) -> None:
        """See `MethodRun.initialise`."""
        super().initialise(model)
        if (layers := starting_layers(self._method.initial, model, self.taught_by, "distillation")) is not None:
            self.start_from_teacher(model, layers)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the labels' part
        """The labels' part of the loss, mean over the exits."""
        return exit_losses(logits, labels).mean()

    def combined(self, logits: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
        """L; logits: [exit, example, class] of the student; taught: [example, class]; labels: [example]."""
        method = self._method
        told = soft_targets(logits, taught, method.temperature, method.reduction).mean()
        return (1 - method.alpha) * self.loss(logits, labels, 1) + method.alpha * told

    def step(self, context: StepContext) -> Tensor:
        """See `MethodRun.step`."""

        def objective(micro: MicroBatch) -> Tensor:
            taught = self.asked(context, micro)
            return self.combined(self.tried(context, micro), taught, micro.labels)

        return self.descend(context, objective)


def starting_layers(initial: Start, student: MultiExitModel, teacher: Teacher, method: str) -> tuple[int, ...] | None:
    """The teacher's layers that the student's start from; None: it starts from its own backbone.

    Raises InputError where the teacher has fewer layers below its last trained exit.
    """
    if initial == "backbone":
        return None
    count, there = student.backbone.num_layers, teacher.depth
    if count > there:
        raise InputError(f"{method}: layers: a student of {count} layers of a teacher of {there}")
    return spread(count, there) if initial == "spread" else tuple(range(1, count + 1))
