"""BERxiT (Xin et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import Method, MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.objectives import exit_losses, learning_to_exit_loss
from greenexp.records.costs import Pass
from greenexp.records.settings import ModelSettings

Schedule = Literal["alternating", "weighted", "joint"]


@dataclass(frozen=True)
class Berxit(Method):
    """Steps that take turns between the last exit and all of them, and a module that learns when to leave.

    Formula: `alternating`: even steps (0, 2, ...) CE_M, odd ones sum_i CE_i; `weighted`: sum_i i CE_i / (M (M + 1) / 2)
    in every step, which is PABEE's; `joint`: sum_i CE_i in every step. With `learning_to_exit` every step adds
    sum_i sum_n (u_in - t_in)^2 / (M N).
    Symbols: i = 1..M the exits, CE_i the mean cross-entropy of exit i (MSE for regression), n = 1..N the examples;
    u_in = sigmoid(w . h_in + b), one w and b for all exits, h_in the pooled state at exit i; t_in = 1 if exit i is
    wrong (its largest logit is not the label's), else 0; for regression t_in = |tanh(y_in - label_n)|.
    So u near 1 says go on; the policy `learned` leaves where u is below its threshold.
    Gradients: t is a constant. u is not cut off from the encoder: in every step, also the even ones, the module's loss
    trains pooling and layers under every exit, as in the official code.
    Source: Xin, Tang, Yu, Lin, EACL 2021; repository castorini/berxit@1fb21626.
    Official hyperparameters: learning rate 2e-5, batch 8, 3 epochs (RoBERTa 10), 128 tokens.
    Departures of the official code, and what is done here: with the module its odd steps leave CE_M out, without it
    they do not: here CE_M is in both (`odd_steps_skip_last` does as the code). It counts steps anew in every epoch, and
    per micro-batch, so parity may break at either: here optimiser steps are counted over the whole trial. In its time
    gradients were zeroed, not dropped, so an even step still moved the other heads by their momentum: here it leaves
    them alone. It knows the module with alternating steps alone: here with every schedule. Each of its exits has a
    pooler of its own, and the module reads that: here it reads the shared pooling, as linear heads do. Left out: its
    strategy `self_distil`, which adds to `joint` the cross-entropy of every exit to the last one's prediction, summed
    over the batch; see `fastbert`, `dbt` and `romebert` for distillation from the last exit.
    Passes: one forward and one backward through all exits; an even step without the module: through the last one alone;
    with it: forward through all exits, backward from the last exit's loss and from the module at every exit.

    schedule: `alternating`, `weighted` or `joint`
    learning_to_exit: whether the model gets the module, and with it the policy `learned`
    odd_steps_skip_last: leave CE_M out of the odd steps of `alternating`
    """

    text_only: ClassVar[str] = "its learning-to-exit module reads states of one width at all exits"

    schedule: Schedule = "alternating"
    learning_to_exit: bool = True
    odd_steps_skip_last: bool = False

    def __post_init__(self) -> None:
        if self.schedule not in ("alternating", "weighted", "joint"):
            raise InputError(f"berxit: schedule: expected alternating, weighted or joint, got {self.schedule!r}")
        if self.odd_steps_skip_last and self.schedule != "alternating":
            raise InputError(f"berxit: odd_steps_skip_last: the schedule {self.schedule} has no odd steps of its own")

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """See `Method.adapt`: the model gets the module if it is wanted."""
        return replace(settings, learned=True) if self.learning_to_exit else settings

    def begin(self, shape: TrialShape) -> BerxitRun:
        """See `Method.begin`."""
        if self.odd_steps_skip_last and len(shape.exits) == 1:
            raise InputError("berxit: odd_steps_skip_last: with one exit nothing would be left to train in odd steps")
        return BerxitRun(shape, self)


class BerxitRun(MethodRun):
    """One trial of `Berxit`. The steps' turns follow from their numbers, so there is nothing to remember."""

    adds_up = True

    def __init__(self, shape: TrialShape, method: Berxit) -> None:
        super().__init__(shape)
        self._method = method
        self._stage = Stage(1, 1, shape.epochs, exits=shape.exits)

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """The weighted sum of the given exits' losses, without the module's; see `MethodRun.loss`."""
        losses = exit_losses(logits, labels)
        if self._method.schedule != "weighted":
            return losses.sum()
        total = sum(self.shape.exits)
        weights = [number / total for number in self.shape.exits]
        return (torch.tensor(weights, dtype=losses.dtype, device=losses.device) * losses).sum()

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.passes`."""
        return (Pass(self._computed(step), (self._taught(step),), learned=self._judged),)

    def step(self, context: StepContext) -> Tensor:
        """See `MethodRun.step`."""
        return self.descend(context, lambda micro: self._objective(context, micro))

    def _objective(self, context: StepContext, micro: MicroBatch) -> Tensor:
        """Only what the loss starts from is stacked: a backward pass runs through all of a stacked tensor."""
        exits, taught = self._computed(context.step), self._taught(context.step)
        found = context.outputs(micro.inputs, exits)
        logits = torch.stack([found.logits[exits.index(number)] for number in taught])
        loss = self.loss(logits, micro.labels, context.epoch)
        if not self._method.learning_to_exit:
            return loss
        if found.learned is None:
            raise ValueError("the model has no learning-to-exit module: build it from adapted settings")
        said = torch.stack([one.detach() for one in found.logits])
        return loss + learning_to_exit_loss(torch.stack(found.learned), said, micro.labels)

    def _taught(self, step: int) -> tuple[int, ...]:
        """Exits whose losses are in the step's objective."""
        exits = self.shape.exits
        if self._method.schedule != "alternating":
            return exits
        if step % 2 == 0:
            return exits[-1:]
        return exits[:-1] if self._method.odd_steps_skip_last else exits

    def _computed(self, step: int) -> tuple[int, ...]:
        """Exits that the step computes: with the module all of them, as it learns from their answers."""
        return self.shape.exits if self._method.learning_to_exit else self._taught(step)

    @property
    def _judged(self) -> tuple[int, ...]:
        """Exits at which the module learns."""
        return self.shape.exits if self._method.learning_to_exit else ()
