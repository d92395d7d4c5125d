"""FastBERT (Liu et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from greenexp.methods.base import EpochContext, Method, MicroBatch, StepContext, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.methods.staged import StagedRun
from greenexp.methods.state_cache import StateCache, filled, needed_bytes
from greenexp.objectives import divergences
from greenexp.objectives.divergence import Direction
from greenexp.records.costs import Part, Pass


@dataclass(frozen=True)
class FastBert(Method):
    """Two stages: fine-tuning of the last exit, then its frozen predictions distilled into the exits below.

    Formula: stage 1 L = CE_M; stage 2 L = sum_{i<M} KL(p_M || p_i), everything but the exits below the last frozen.
    Symbols: M exits, p_i = softmax(z_i) at temperature 1, CE_M the mean cross-entropy of the last exit.
    Source: Liu et al., ACL 2020; repository autoliuweijie/FastBERT@859632f6.
    Official hyperparameters: stage 1 learning rate 2e-5, 3 epochs, warm-up 0.1; stage 2 learning rate 2e-4, 5 to 10
    epochs; batch 32, 128 tokens; exit head `attention`, the default.
    Departures: the paper prints KL(p_i || p_M), its code computes the other direction; so do we unless `direction` says
    otherwise. The official frozen backbone and teacher keep their dropout in stage 2; ours do not, so that the states
    of the frozen backbone are computed once and kept; `frozen_dropout` turns it on, and nothing is kept then.
    Classification only: a regression task is refused.
    Passes: stage 1 one forward and one backward, the last exit only. Stage 2 with kept states: once one forward of the
    whole training set through the last exit, then per step a forward and a backward through the other exits' heads
    alone; without: per step a forward through all exits, a backward through the others' heads. Kept states are no part
    of a checkpoint: after each pause in stage 2 that forward is made again, and counts in the report that follows.

    first_epochs: epochs of stage 1, of all that `training.epochs` counts; None: half, rounded up
    later_rate: factor on the learning rate in stage 2
    direction: `teacher_first` KL(p_M || p_i), or `student_first` KL(p_i || p_M)
    frozen_dropout: whether dropout of backbone and last exit stays on in stage 2
    cache_bytes: memory that kept states may take: training tokens x hidden size x exits below the last x 4 bytes. Where
        they need more, or a head reads more than the state after its own layer, they are computed anew in every step
    """

    text_only: ClassVar[str] = "its second stage keeps the states of tokens"

    first_epochs: Annotated[int, Field(ge=1)] | None = None
    later_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 10.0
    direction: Direction = "teacher_first"
    frozen_dropout: bool = False
    cache_bytes: Annotated[int, Field(ge=0)] = 2 * 2**30

    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "attention"}}

    def begin(self, shape: TrialShape) -> FastBertRun:
        """See `Method.begin`."""
        refuse_regression("fastbert", shape)
        return FastBertRun(shape, self)


class FastBertRun(StagedRun):
    """See `FastBert`. The kept states are no part of a checkpoint: they follow from the model's frozen weights."""

    def __init__(self, shape: TrialShape, method: FastBert) -> None:
        super().__init__(
            "fastbert",
            shape,
            method.first_epochs,
            frozen_dropout=method.frozen_dropout,
            later_rate=method.later_rate,
        )
        self._direction = method.direction
        self._students = shape.exits[:-1]
        fits = needed_bytes(shape, self._students) <= method.cache_bytes
        self._keeps = fits and not method.frozen_dropout and not shape.reads_earlier
        self._cache: StateCache | None = None

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:
        """See `MethodRun.passes`."""
        if self.stage(epoch).number == 1:
            return super().passes(epoch, step)
        students, heads = self._students, frozenset({Part.HEADS})
        if self._keeps:
            return (Pass(students, (students,), heads, from_memory=True),)
        return (Pass(self.shape.exits, (students,), heads),)

    def preparation(self, epoch: int) -> tuple[Pass, ...]:
        """See `MethodRun.preparation`."""
        stage = self.stage(epoch)
        return self._filling if self._keeps and stage.number == 2 and epoch == stage.first_epoch else ()

    def prepare(self, context: EpochContext) -> tuple[Pass, ...]:
        """See `MethodRun.prepare`."""
        if self.stage(context.epoch).number == 1 or not self._keeps or self._cache is not None:
            return ()
        self._cache = filled(context, self._students, self.shape.train_tokens)
        return self._filling

    @property
    def _filling(self) -> tuple[Pass, ...]:
        return (Pass(self.shape.exits[-1:], ()),)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """See `MethodRun.loss`; in stage 2 the last logits are the teacher's."""
        if self.stage(epoch).number == 1:
            return super().loss(logits, labels, epoch)
        return divergences(logits[:-1], logits[-1], self._direction).sum()

    def logits(self, context: StepContext, micro: MicroBatch) -> Tensor:
        """See `MethodRun.logits`; in stage 2 those of the teacher come last."""
        if self.stage(context.epoch).number == 1:
            return super().logits(context, micro)
        if not self._keeps:
            return torch.stack(context.outputs(micro.inputs, self.shape.exits).logits)
        if self._cache is None:
            raise ValueError("the second stage's first step without `prepare`")
        with context.precision():
            said = [context.model.exit_logits(number, state) for number, state in self._cache.at(micro)]
        return torch.stack([*said, self._cache.teacher_logits(micro)])

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `MethodRun.load_state_dict`."""
        super().load_state_dict(state)
        self._cache = None
