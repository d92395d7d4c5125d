"""BERT-of-Theseus (Xu et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import Method, MicroBatch, StepContext, TrialShape
from greenexp.methods.depth import check_depth, cut_to
from greenexp.methods.taught import Exits, TaughtRun
from greenexp.model import MultiExitModel
from greenexp.objectives import exit_losses
from greenexp.records.costs import ALL_PARTS, Part, Pass
from greenexp.records.settings import ModelSettings


@dataclass(frozen=True)
class Theseus(Method):
    """BERT-of-Theseus: modules of a trained predecessor are replaced at random by the layers of their successor.

    Formula: in each step module i = 1..k is the successor's layer i if b_i = 1, else the predecessor's layers
    (i - 1) m + 1 to i m, with b_i drawn with probability r(t) and m = N / k. `constant`: r(t) = r until step u n, then
    1; `linear`: r(t) = min(1, r + (1 - r) t / (u n)). Once r is 1 the successor alone is trained. L = CE of the last
    exit (MSE for regression), or the mean over all exits.
    Symbols: t steps made, n of a full training, r `rate`, u `until`, N layers of the predecessor, k of the successor.
    Source: Xu, Zhou, Ge, Wei and Zhou, EMNLP 2020; repository JetRunner/BERT-of-Theseus@09de324e.
    Official hyperparameters: r 0.5 for 2,500 steps, then 1; or linear with slope 6e-4 per step from 0.3; learning rate
    2e-5, batch 32. Embeddings, pooler and classifier stay those of the predecessor; the successor starts from its first
    layers.
    Departures: the length of the schedule is a share of the training and not a number of steps. The predecessor's
    modules have no dropout; in the official code they have. The draws are the same for all examples of a batch, also
    where it is computed in pieces, and come from the data-order seed and the number of the step alone.
    Passes: one forward through the mixed model, one backward through it down to the lowest layer of the successor.

    teacher: the predecessor: folder of a sweep, whose chosen model it is, or of a model, relative to the working
        directory
    layers: k, which divides N; None: those of the backbone
    schedule, rate, until: see above
    train: `layers` of the successor, as official, or `all` of it
    exits: `last` trains the last exit, `all` the mean over those after every module
    """

    text_only: ClassVar[str] = "its modules are layers of one width"

    teacher: str
    layers: Annotated[int, Field(ge=1)] | None = None
    schedule: Literal["constant", "linear"] = "constant"
    rate: Annotated[float, Field(ge=0, le=1)] = 0.5
    until: Annotated[float, Field(ge=0, le=1)] = 0.5
    train: Literal["layers", "all"] = "layers"
    exits: Exits = "last"

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """See `Method.adapt`."""
        return cut_to(settings, self.layers, "theseus")

    def begin(self, shape: TrialShape) -> TheseusRun:
        """See `Method.begin`."""
        check_depth(shape, self.layers, "theseus")
        return TheseusRun(shape, self)


class TheseusRun(TaughtRun):
    """One trial of `Theseus`."""

    adds_up = True

    def __init__(self, shape: TrialShape, method: Theseus) -> None:
        parts = ALL_PARTS if method.train == "all" else frozenset({Part.LAYERS})
        super().__init__("theseus", shape, method.teacher, method.exits, parts, starts=True)
        there = self.taught_by.depth
        self._method, self._each = method, there // shape.num_layers
        if there % shape.num_layers:
            raise InputError(
                f"theseus: layers: a successor of {shape.num_layers} layers does not divide a predecessor of {there}"
            )

    def initialise(self, model: MultiExitModel) -> None:
        """See `MethodRun.initialise`."""
        super().initialise(model)
        self.start_from_teacher(model, range(1, model.backbone.num_layers + 1))

    def rate(self, step: int) -> float:
        """r(t), the probability that a module is replaced in the step after `step` others."""
        method, end = self._method, self._method.until * self.shape.steps
        if step >= end:
            return 1.0
        return method.rate if method.schedule == "constant" else method.rate + (1 - method.rate) * step / end

    def kept(self, step: int) -> tuple[int, ...]:
        """The modules, from 1, that are the predecessor's in this step; drawn from (seed, step) alone."""
        rng = np.random.default_rng(np.random.SeedSequence((self.shape.seed, step), spawn_key=(3,)))
        replaced = rng.random(self.shape.num_layers) < self.rate(step)
        return tuple(int(layer) for layer in np.flatnonzero(~replaced) + 1)

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.passes`."""
        exits, kept = self._stage.exits, self.kept(step)
        backward = () if self._trains_nothing(kept) else (exits,)
        return (Pass(exits, backward, self._stage.parts, foreign=kept, each=self._each),)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.loss`."""
        return exit_losses(logits, labels).mean()

    def step(self, context: StepContext) -> Tensor:
        """See `MethodRun.step`. Where the predecessor has every module and only layers train, nothing changes."""
        kept = self.kept(context.step)

        def objective(micro: MicroBatch) -> Tensor:
            return self.loss(self.mixed(context, micro, kept), micro.labels, context.epoch)

        if self._trains_nothing(kept):
            with torch.no_grad():
                total = torch.stack([micro.weight * objective(micro) for micro in context.batch]).sum()
            context.update(total)
            return total
        return self.descend(context, objective)

    def _trains_nothing(self, kept: tuple[int, ...]) -> bool:
        return len(kept) == self.shape.num_layers and self._method.train == "layers"

    def mixed(self, context: StepContext, micro: MicroBatch, kept: tuple[int, ...]) -> Tensor:
        """Logits [exit, example, class] of the exits that train, with the predecessor's modules in places `kept`."""
        model = context.model
        own = next(model.parameters())
        # In one model there is one type of numbers; a trial's is float32, as the teacher's.
        teacher = self.teacher_model.to(own.device, own.dtype)
        exits = {model.exit_layers[number - 1]: number for number in self._stage.exits}
        logits = []
        with context.precision():
            state = model.backbone.embed(micro.inputs)
            for layer in range(1, model.backbone.num_layers + 1):
                if layer in kept:
                    for index in range((layer - 1) * self._each, layer * self._each):
                        state = teacher.backbone.layer(index, state)
                else:
                    state = model.backbone.layer(layer - 1, state)
                if layer in exits:
                    logits.append(model.exit_logits(exits[layer], state))
        return torch.stack(logits)
