"""ElasticBERT's pre-training (Liu et al. 2022): masked tokens and sentence order at every exit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import Method, MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.objectives import exit_losses
from greenexp.objectives.masked import masked_token_loss, masked_tokens
from greenexp.records.costs import Pass

Grouping = Literal["alternating", "random"]


@dataclass(frozen=True)
class ElasticBertPretraining(Method):
    """Pre-training of an encoder with an exit after every layer, on a task that masks tokens (`corpus`).

    Formula: L = sum_l (MLM_l + SOP_l) over the exits l of a step. MLM_l: mean cross-entropy of exit l over the masked
    tokens of the batch; SOP_l: its mean cross-entropy of whether the two halves of an example stand in their order.
    With gradient equilibrium a layer gets the mean, not the sum, of the gradients of the step's exits above it, as in
    `elasticbert`; the token embeddings, by which all exits predict, get that part of their gradients whole.
    Grouped training: the exits are divided into `groups`, and each step takes the losses of one group.
    Source: Liu, Sun et al., Findings of NAACL 2022; fastnlp/ElasticBERT@ffb827b4 holds the checkpoints and fine-tuning.
    Masking: BERT, Devlin et al., NAACL 2019; sentence order: ALBERT, Lan et al., ICLR 2020.
    Not said in what was at hand, and chosen here: alternating groups deal out the exits in turn (of 12 in two groups
    the odd and the even ones) and follow each other step by step; random ones are divided anew whenever each had a
    step; an exit is in one group alone, the last one too; every exit has a head for tokens of its own, above the common
    embeddings; both losses weigh the same.
    Official hyperparameters, of 160 GB of text: 125,000 steps on 64 GPUs, whole encoder from BERT's weights or anew.
    Passes: one forward and one backward through the step's exits, up to the last of them.

    exits: whose losses are taken: `all`, or the `last` one's alone, ordinary pre-training as a baseline
    equilibrium: whether the gradients are balanced; groups: into how many the exits are divided, 1: all at every step
    grouping: how they are divided
    """

    text_only: ClassVar[str] = "it predicts masked tokens"

    exits: Literal["all", "last"] = "all"
    equilibrium: bool = True
    groups: Annotated[int, Field(ge=1)] = 1
    grouping: Grouping = "alternating"

    reconstruction: ClassVar[str] = "of ElasticBERT's pre-training, of which no code is public"
    predicts_tokens: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "pretraining"}}

    def begin(self, shape: TrialShape) -> ElasticBertPretrainingRun:
        """See `Method.begin`."""
        return ElasticBertPretrainingRun(self, shape)


class ElasticBertPretrainingRun(MethodRun):
    """One trial of `ElasticBertPretraining`."""

    adds_up = True

    def __init__(self, method: ElasticBertPretraining, shape: TrialShape) -> None:
        super().__init__(shape)
        exits = shape.exits if method.exits == "all" else shape.exits[-1:]
        if method.groups > len(exits):
            raise InputError(
                f"elasticbert_pretraining: groups is {method.groups}: the exits that train are {len(exits)}"
            )
        self._method = method
        self._stage = Stage(1, 1, shape.epochs, exits)

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - there is one
        """See `MethodRun.stage`."""
        return self._stage

    def group(self, step: int) -> tuple[int, ...]:
        """The exits of a step, ascending; any `groups` steps that begin at a multiple of it have each exit once.

        step: optimiser steps made before it
        """
        exits, groups = self._stage.exits, self._method.groups
        cycle, place = divmod(step, groups)
        if self._method.grouping == "random":
            rng = np.random.default_rng(np.random.SeedSequence((self.shape.seed, cycle), spawn_key=(3,)))
            exits = tuple(rng.permutation(exits).tolist())
        return tuple(sorted(exits[place::groups]))

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:  # noqa: ARG002 - the same in all epochs
        """See `MethodRun.passes`."""
        exits = self.group(step)
        return (Pass(exits=exits, backward=(exits,)),)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in all epochs
        """See `MethodRun.loss`: of sentence order alone."""
        return exit_losses(logits, labels).sum()

    def step(self, context: StepContext) -> Tensor:
        """See `MethodRun.step`. The masked tokens are counted over the whole batch, however it is divided."""
        exits = self.group(context.step)
        # By index: going over a divided batch would say which piece is computed.
        micros = [context.batch[number] for number in range(len(context.batch))]
        own = torch.stack([masked_tokens(_targets(micro)).float() / micro.copies for micro in micros]).sum()
        count = context.total(own).round().long().clamp_min(1)

        def objective(micro: MicroBatch) -> Tensor:
            out = context.outputs(micro.inputs, exits, equilibrium=self._method.equilibrium)
            if out.tokens is None:
                raise ValueError("a batch in which no token is masked")
            tokens = torch.stack([masked_token_loss(one, _targets(micro)) for one in out.tokens]).sum()
            return self.loss(torch.stack(out.logits), micro.labels, context.epoch) + tokens / (count * micro.share)

        return self.descend(context, objective)


def _targets(micro: MicroBatch) -> Tensor:
    if micro.targets is None:
        raise ValueError("a batch in which no token is masked")
    return micro.targets
