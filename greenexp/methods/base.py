"""What a training method tells the trainer, and what the trainer hands to it.

A `Method` is the frozen dataclass of hyperparameters from the sweep file. `adapt` lets it change the model's settings;
`begin` gives its `MethodRun`, which lives as long as one trial and holds whatever the method learns beside the model.
The trainer then asks, epoch by epoch:

    initialise(model)       what its weights start from, where the settings do not say it
    stage(epoch)            which exits and parts train; a new stage begins with a fresh optimiser and schedule
    parameters(epoch)       what trains beside the model
    split(epoch)            whether its steps have a second batch, of examples the first ones are not drawn from
    prepare(context)        what must be known before the first step
    passes(epoch, step)     forward and backward passes of a step, from which FLOPs follow before anything runs
    step(context)           make the step
    trained_exits(epoch)    which exits may be evaluated afterwards
    state_dict()            what must survive a pause, which may come between any two steps
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from greenexp.backbones.base import InputBatch
from greenexp.model.multi_exit import ExitOutputs, MultiExitModel
from greenexp.records.costs import ALL_PARTS, Part, Pass
from greenexp.records.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class TrialShape:
    """What a method may know of a trial before it begins.

    exit_layers: layer of each exit, from 1; num_layers: layers of the backbone
    num_labels: classes, 1 for regression; epochs: of a full training; seed: for whatever the method draws
    steps: optimiser steps of a full training, without what a method's split takes from them
    hidden_size: of the backbone; train_tokens: tokens of the training split, special ones included
    reads_earlier: whether an exit head also reads the layers below its own
    label_names: what each class means, in order; empty for regression; tokenizer: what made the token ids, as JSON
        text; empty where they are not known
    """

    exit_layers: tuple[int, ...]
    num_layers: int
    num_labels: int
    epochs: int
    seed: int = 0
    hidden_size: int = 0
    train_tokens: int = 0
    reads_earlier: bool = False
    steps: int = 0
    label_names: tuple[str, ...] = ()
    tokenizer: str = ""

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
    copies: processes that compute it, each of which adds an equal part: those of the trial, if they are more than its
        examples
    indices: [example], its rows of the training split; None where nobody knows
    inputs: tokens or pixels; targets: [example, place], the tokens at `inputs.places`, -100 where none is to be
        predicted; None: none was masked
    """

    inputs: InputBatch
    labels: Tensor
    share: float
    indices: npt.NDArray[np.int64] | None = None
    targets: Tensor | None = None
    copies: int = 1

    @property
    def weight(self) -> float:
        """Of its mean in what this process adds up."""
        return self.share / self.copies


@dataclass(frozen=True, slots=True)
class StepContext:
    """One optimiser step, as the trainer offers it.

    model: in training mode, its gradients None
    epoch: from 1; step: optimiser steps made before this one, since the trial began
    batch: the micro-batches, on the model's device; where several processes train the trial, those of this one
    update: `update(loss)`: once the gradients are in place: add up both over all processes of the trial, check them,
        clip, make the optimiser and schedule step, set gradients to None. Raises DivergedError
    total: `total(number)`: the sum over all processes of what each has counted in its own micro-batches
    precision: a context in which the model computes in the trainer's number format; `forward` and `outputs` do so
    second: the micro-batches of the step's second batch, for a method that splits the training set; else empty
    """

    model: MultiExitModel
    epoch: int
    step: int
    batch: Sequence[MicroBatch]
    update: Callable[[Tensor], None]
    precision: Callable[[], AbstractContextManager[None]] = nullcontext
    second: Sequence[MicroBatch] = ()
    total: Callable[[Tensor], Tensor] = lambda own: own

    def forward(self, inputs: InputBatch, exits: tuple[int, ...], layers: Collection[int] | None = None) -> Tensor:
        """Logits [exit, example, class] of `exits`, float32 or wider, under the trainer's precision.

        layers: those that run, from 1; None: all up to that of the last exit
        """
        with self.precision():
            logits: Tensor = self.model(inputs, exits) if layers is None else self.model(inputs, exits, layers)
        return logits

    def outputs(self, inputs: InputBatch, exits: tuple[int, ...], *, equilibrium: bool = False) -> ExitOutputs:
        """The same apart, with all that the exits say; see `MultiExitModel.outputs`."""
        with self.precision():
            return self.model.outputs(inputs, exits, equilibrium=equilibrium)


@dataclass(frozen=True, slots=True)
class EpochContext:
    """What a method may look at before an epoch's first step.

    batches: `batches()` goes over the training split in an order that never changes (shortest first)
    model, epoch, precision: as in `StepContext`
    """

    model: MultiExitModel
    epoch: int
    batches: Callable[[], Iterator[MicroBatch]]
    precision: Callable[[], AbstractContextManager[None]] = nullcontext


class MethodRun(ABC):
    """One trial's training by a method. The defaults are those of a joint method: one stage, one pass, one update.

    divides: whether a step gives the same numbers, but for rounding, however its batch is divided into micro-batches:
        whether a trial that runs out of memory may be tried again with smaller ones
    adds_up: for a method with a `step` of its own: whether all it does with its micro-batches is to add up gradients
        and objective, by their `weight` or by `descend`, before `update`: whether several processes may each do so;
        said in the class that has the `step`
    """

    divides: ClassVar[bool] = True
    adds_up: ClassVar[bool] = False

    teacher: MultiExitModel | None = None
    """A trained model that the method asks, which stays as it is; its passes are counted with the method's own."""

    def __init__(self, shape: TrialShape) -> None:
        self.shape = shape

    def initialise(self, model: MultiExitModel) -> None:
        """Change the weights of the new model before anything trains; draws nothing. Raises InputError."""
        del model  # by default it starts as it was built

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

    def parameters(self, epoch: int) -> Mapping[str, nn.Parameter]:  # noqa: ARG002 - most train the model alone
        """Name -> parameter of what trains beside the model in the stage of `epoch`; held in `state_dict`, too."""
        return {}

    def split(self, epoch: int) -> float | None:  # noqa: ARG002 - for methods that train on two halves
        """The share of the training set, drawn anew for `epoch`, that its steps' batches come from.

        The rest supplies `StepContext.second`; an epoch is one pass over the first part. None: there is no split.
        """
        return None

    def preparation(self, epoch: int) -> tuple[Pass, ...]:  # noqa: ARG002 - most methods prepare nothing
        """The passes over the whole training set that an uninterrupted run makes before `epoch`'s first step."""
        return ()

    def prepare(self, context: EpochContext) -> tuple[Pass, ...]:  # noqa: ARG002 - as above
        """Do what must be done before an epoch's first step, or before the next one of a run resumed within the epoch.

        The passes over the whole training set that it made: those of `preparation`, or more after a pause.
        """
        return ()

    def quieten(self, model: MultiExitModel, epoch: int) -> None:  # noqa: B027 - most drop out everywhere
        """Before each step: put into evaluation mode what is to drop nothing out; by default nothing.

        In every step, since the trainer puts the whole model into training mode now and then.
        """

    def logits(self, context: StepContext, micro: MicroBatch) -> Tensor:
        """[exit, example, class]: the forward pass that `step` makes."""
        return context.forward(micro.inputs, self.stage(context.epoch).exits)

    def step(self, context: StepContext) -> Tensor:
        """Make one step; the objective over the whole batch, detached, as it was before the update."""
        self.quieten(context.model, context.epoch)
        return self.descend(context, lambda micro: self.loss(self.logits(context, micro), micro.labels, context.epoch))

    def descend(self, context: StepContext, objective: Callable[[MicroBatch], Tensor]) -> Tensor:
        """One backward pass per micro-batch, then the update: what most methods' `step` is.

        objective: of one micro-batch, a mean over its examples. The objective over the whole batch, detached, as it was
        before the update.
        """
        total: Tensor | None = None
        for micro in context.batch:
            loss = micro.weight * objective(micro)
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
    """The frozen dataclass behind a name in METHODS.

    Every method is trained by the optimiser and the schedule of the section `training`, over each of its stages,
    whatever the authors' code uses: by default AdamW with a rise and a linear fall. A card says what theirs is, where
    that is something else.

    text_only: why it cannot train a model of images, in a clause; empty where it can
    reconstruction: for a method whose authors' text or code was not at hand: of what it is one, and why, in a clause
        that follows "a reconstruction"; said wherever the method is planned. Empty for all others
    predicts_tokens: whether it trains exits to predict masked tokens, for which task and exit heads must be made
    defaults: dotted path -> value, for fields of other sections that the sweep file leaves out: the exit head
        (`exits.head`) and pooling (`backbone.pooling`) of the publication
    """

    text_only: ClassVar[str] = ""
    reconstruction: ClassVar[str] = ""
    predicts_tokens: ClassVar[bool] = False
    defaults: ClassVar[Mapping[str, Any]] = {}

    def cautions(self) -> tuple[str, ...]:
        """What must be known of trials with these settings before they are compared, a sentence each, for the report.

        Recorded with every session of a sweep, since whoever reads the record may not have the method.
        """
        if not self.reconstruction:
            return ()
        return (f"{type(self).__name__} is a reconstruction {self.reconstruction}: not to be reported as theirs.",)

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """The settings with what the method demands of backbone and exits; the model is built from these."""
        return settings

    @abstractmethod
    def begin(self, shape: TrialShape) -> MethodRun:
        """A run of this method. Raises InputError if the hyperparameters do not fit the trial."""
