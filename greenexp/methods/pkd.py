"""BERT-PKD: patient knowledge distillation (Sun et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from greenexp.backbones.base import EncoderState
from greenexp.errors import InputError
from greenexp.methods.base import Method, MicroBatch, StepContext, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.methods.depth import check_depth, cut_to
from greenexp.methods.distillation import Start, starting_layers
from greenexp.methods.taught import Exits, TaughtRun, Visited
from greenexp.model import MultiExitModel
from greenexp.objectives import exit_losses
from greenexp.objectives.knowledge import Reduction, patient_loss, soft_targets
from greenexp.records.settings import ModelSettings

Match = Literal["skip", "last"]


@dataclass(frozen=True)
class Pkd(Method):
    """BERT-PKD: a student learns labels, softened answers and the states after many of its teacher's layers.

    Formula: L = (1 - alpha) CE + alpha T^2 KL(p_t || p_s) + beta mean ||h_s / |h_s| - h_t / |h_t|||^2 / H.
    Symbols: z logits, p = softmax(z / T), h the state of the first token after a layer (or the mean over tokens), H its
    width; the mean is over the examples and over the pairs of layers below. The teacher is constant.
    Pairs, student layer j = 1..k - 1 of k, teacher of N layers: `skip` teacher layer round(j N / k), halves down, so 2,
    4, 6, 8, 10 of 12 for k = 6; `last` teacher layer N - k + j, so 7 to 11. The last layers are not paired: the logits
    do that.
    Source: Sun, Cheng, Gan and Liu, EMNLP 2019; repository intersun/PKD-for-BERT-Model-Compression@9e9e8609.
    Official hyperparameters: alpha 0.2, 0.5 or 0.7; T 5, 10 or 20; beta 10, 100, 500 or 1000; learning rate 5e-5, 2e-5
    or 1e-5; 4 epochs; the student starts from the first layers of the pre-trained model.
    Departures: the official divergence is a mean over examples and classes (`reduction: mean`); the default is the mean
    over the examples. The official code rounds the squared difference of states to half precision; ours does not. The
    paper's eq. 7 sums over layers and components; its code takes the mean, as we do.
    Teacher and student may differ in their number of layers alone. Classification only: a regression task is refused.
    Passes: a forward pass of the teacher, a forward and a backward pass of the student.

    teacher: folder of a sweep, whose chosen model it is, or of a model, relative to the working directory
    layers: number of layers of the student, the first of the backbone's; None: all of the backbone's
    initial: what the student starts from: its own `backbone`, evenly `spread` layers of the teacher, its `first` ones
    match: which of the teacher's layers teach; state: `cls` of the first token, `mean` over all tokens
    normalise: whether states are divided by their norms
    alpha: weight of the teacher's answers against the labels; temperature: T; beta: weight of the states
    reduction: of the divergence: `batchmean` over the examples, or `mean` over examples and classes
    exits: `last` trains the last exit, `all` the mean over all of them, each with labels and answers
    """

    text_only: ClassVar[str] = "it compares the states of tokens"

    teacher: str
    layers: Annotated[int, Field(ge=1)] | None = None
    initial: Start = "backbone"
    match: Match = "skip"
    state: Literal["cls", "mean"] = "cls"
    normalise: bool = True
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 100.0
    reduction: Reduction = "batchmean"
    exits: Exits = "last"

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """See `Method.adapt`."""
        return cut_to(settings, self.layers, "pkd")

    def begin(self, shape: TrialShape) -> PkdRun:
        """See `Method.begin`."""
        refuse_regression("pkd", shape)
        check_depth(shape, self.layers, "pkd")
        return PkdRun(shape, self)


class PkdRun(TaughtRun):
    """One trial of `Pkd`."""

    adds_up = True

    def __init__(self, shape: TrialShape, method: Pkd) -> None:
        super().__init__("pkd", shape, method.teacher, method.exits, starts=method.initial != "backbone")
        self._method = method
        self.pairs = paired_layers(shape.num_layers, self.taught_by.depth, method.match)

    def initialise(self, model: MultiExitModel) -> None:
        """See `MethodRun.initialise`."""
        super().initialise(model)
        own, his = model.backbone.hidden_size, self.teacher_model.backbone.hidden_size
        if own != his:
            raise InputError(f"method.teacher: pkd: the teacher's states have width {his}, the student's {own}")
        if (layers := starting_layers(self._method.initial, model, self.taught_by, "pkd")) is not None:
            self.start_from_teacher(model, layers)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the labels' part
        """The labels' part of the loss, mean over the exits."""
        return exit_losses(logits, labels).mean()

    def step(self, context: StepContext) -> Tensor:
        """See `MethodRun.step`."""

        def objective(micro: MicroBatch) -> Tensor:
            his: Visited = {}
            own: Visited = {}
            taught, logits = self.asked(context, micro, his), self.tried(context, micro, own)
            return self.combined(logits, taught, micro.labels) + self._method.beta * self.patience(own, his)

        return self.descend(context, objective)

    def combined(self, logits: Tensor, taught: Tensor, labels: Tensor) -> Tensor:
        """Labels and answers; logits: [exit, example, class]; taught: [example, class]; labels: [example]."""
        method = self._method
        told = soft_targets(logits, taught, method.temperature, method.reduction).mean()
        return (1 - method.alpha) * self.loss(logits, labels, 1) + method.alpha * told

    def patience(self, own: Visited, his: Visited) -> Tensor:
        """The states' part of the loss, before beta."""
        students = torch.stack([self._read(own[student]) for student, _ in self.pairs], dim=1)
        teachers = torch.stack([self._read(his[teacher]) for _, teacher in self.pairs], dim=1)
        return patient_loss(students, teachers, normalised=self._method.normalise)

    def _read(self, state: EncoderState) -> Tensor:
        if self._method.state == "cls":
            return state.hidden[:, 0]
        if state.padding is None:
            return state.hidden.mean(dim=1)
        real = state.padding.unsqueeze(-1).to(state.hidden.dtype)
        return (state.hidden * real).sum(dim=1) / real.sum(dim=1)


def paired_layers(student: int, teacher: int, match: Match) -> tuple[tuple[int, int], ...]:
    """(student layer, teacher layer), from 1, of k and N layers. Raises InputError where there is nothing to pair."""
    if not 2 <= student <= teacher:
        raise InputError(f"pkd: layers: a student of {student} layers of a teacher of {teacher}: 2 to {teacher} layers")
    if match == "last":
        return tuple((layer, teacher - student + layer) for layer in range(1, student))
    return tuple((layer, max(1, -(-(2 * layer * teacher - student) // (2 * student)))) for layer in range(1, student))
