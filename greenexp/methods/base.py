"""What a training method tells the trainer, and what the trainer hands to it.

A `Method` is the frozen dataclass of hyperparameters from the sweep file. `adapt` lets it change the model's settings;
`begin` gives its `MethodRun`, which lives as long as one trial and holds whatever the method learns beside the model.
The trainer then asks, epoch by epoch:

    stage(epoch)            which exits and parts train; a new stage begins with a fresh optimiser and schedule
    passes(epoch, step)     forward and backward passes of a step, from which FLOPs follow before anything runs
    step(context)           make the step
    trained_exits(epoch)    which exits may be evaluated afterwards
    state_dict()            what must survive a pause
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from greenexp.backbones.base import TokenBatch
from greenexp.model.multi_exit import MultiExitModel
from greenexp.records.costs import ALL_PARTS, Part, Pass


@dataclass(frozen=True, slots=True)
class TrialShape:
    """What a method may know of a trial before it begins.

    exit_layers: layer of each exit, from 1; num_layers: layers of the backbone
    num_labels: classes, 1 for regression; epochs: of a full training; seed: for whatever the method draws
    """

    exit_layers: tuple[int, ...]
    num_layers: int
    num_labels: int
    epochs: int
    seed: int = 0

    @property
    def exits(self) -> tuple[int, ...]:
        """All exit numbers, from 1."""
        return tuple(range(1, len(self.exit_layers) + 1))


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of epochs that trains the same things with one optimiser and one learning-rate schedule.

    number: from 1; first_epoch, last_epoch: from 1, both included
    exits: exits whose heads train, ascending; parts: parts of the model that train
    learning_rate_factor: on the sweep file's learning rate
    """

    number: int
    first_epoch: int
    last_epoch: int
    exits: tuple[int, ...]
    parts: frozenset[Part] = ALL_PARTS
    learning_rate_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """As many examples of a step's batch as are computed at once.

    labels: [example], class numbers or real targets; share: its examples / the batch's; the shares add up to 1
    """

    tokens: TokenBatch
    labels: Tensor
    share: float


@dataclass(frozen=True, slots=True)
class StepContext:
    """One optimiser step, as the trainer offers it.

    model: in training mode, its gradients None
    epoch: from 1; step: optimiser steps made before this one, since the trial began
    batch: the micro-batches, on the model's device
    forward: `forward(tokens, exits) -> logits [exit, example, class]`: the model under the trainer's precision, its
        logits float32 or wider; call this, not the model
    update: `update(loss)`: once the gradients are in place: check the loss and the gradients, clip, make the optimiser
        and schedule step, set gradients to None. Raises DivergedError
    """

    model: MultiExitModel
    epoch: int
    step: int
    batch: Sequence[MicroBatch]
    forward: Callable[[TokenBatch, tuple[int, ...]], Tensor]
    update: Callable[[Tensor], None]


class MethodRun(ABC):
    """One trial's training by a method. The defaults are those of a joint method: one stage, one pass, one update."""

    def __init__(self, shape: TrialShape) -> None:
        self.shape = shape

    @abstractmethod
    def stage(self, epoch: int) -> Stage:
        """The stage that `epoch` (from 1) belongs to; equal for all epochs of a stage."""

    @abstractmethod
    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """The objective, a scalar: a mean over the examples, so that micro-batches add up to the batch.

        logits: [exit, example, class] of the stage's exits, in their order; labels: [example]
        """

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:  # noqa: ARG002 - for methods that alternate
        """The passes of one step over its batch; `step` as in `StepContext`."""
        stage = self.stage(epoch)
        return (Pass(exits=stage.exits, backward=(stage.exits,), parts=stage.parts),)

    def step(self, context: StepContext) -> Tensor:
        """Make one step; the objective over the whole batch, detached, as it was before the update."""
        exits = self.stage(context.epoch).exits
        total: Tensor | None = None
        for micro in context.batch:
            loss = micro.share * self.loss(context.forward(micro.tokens, exits), micro.labels, context.epoch)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            total = loss.detach() if total is None else total + loss.detach()
        if total is None:
            raise ValueError("a step without a batch")
        context.update(total)
        return total

    def trained_exits(self, epoch: int) -> tuple[int, ...]:
        """Exits that have been trained by the end of `epoch`, ascending; only these are ever evaluated."""
        return tuple(sorted({number for past in range(1, epoch + 1) for number in self.stage(past).exits}))

    def state_dict(self) -> dict[str, Any]:
        """What the run holds beside the model: tensors and plain values. Empty for a run that learns nothing else."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`."""
        if state:
            raise ValueError(f"{type(self).__name__} holds no state, but was given {sorted(state)}")


class Method(ABC):
    """The frozen dataclass behind a name in METHODS."""

    def adapt(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """The trial's settings with what the method demands of backbone and exits; build the model from these."""
        return settings

    @abstractmethod
    def begin(self, shape: TrialShape) -> MethodRun:
        """A run of this method. Raises InputError if the hyperparameters do not fit the trial."""
