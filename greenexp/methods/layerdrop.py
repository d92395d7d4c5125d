"""LayerDrop (Fan et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field
from torch import Tensor

from greenexp.methods.base import Method, MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.objectives import exit_losses
from greenexp.records.costs import Pass


@dataclass(frozen=True)
class LayerDrop(Method):
    """Fine-tuning with structured dropout: each layer is left out of a step with a fixed probability.

    Formula: in each step layer l runs if u_l >= p, u_l uniform on [0, 1); where it does not, its input is its output.
    L = CE_M, the mean cross-entropy of the last exit (MSE for regression), or the mean over all exits.
    Symbols: p the rate, M the last exit.
    Source: Fan, Grave and Joulin, "Reducing Transformer Depth on Demand with Structured Dropout", ICLR 2020; repository
    facebookresearch/fairseq@3d262bb2, `LayerDropModuleList`.
    Official hyperparameters: p 0.2 in pre-training, and 0.5 where half of the layers are to go; the official README
    says of fine-tuning a model with it that was pre-trained without it that it "did not see great performance".
    The model is served without every other layer: `compression: {name: layer_pruning}` is the default with this method,
    and `compression: {name: none}` keeps all.
    Departures: the draws are the same for all examples of a batch, also where it is computed in pieces, and come from
    the data-order seed and the number of the step alone.
    Passes: one forward and one backward through the layers that run.

    rate: p
    exits: `last` trains the last exit, `all` the mean over all of them
    """

    text_only: ClassVar[str] = "a block that halves the feature map cannot be left out"

    rate: Annotated[float, Field(ge=0, lt=1)] = 0.2
    exits: Literal["last", "all"] = "last"

    defaults: ClassVar[Mapping[str, Any]] = {"compression": {"name": "layer_pruning"}}

    def begin(self, shape: TrialShape) -> LayerDropRun:
        """See `Method.begin`."""
        return LayerDropRun(shape, self)


class LayerDropRun(MethodRun):
    """One trial of `LayerDrop`."""

    def __init__(self, shape: TrialShape, method: LayerDrop) -> None:
        super().__init__(shape)
        exits = shape.exits if method.exits == "all" else shape.exits[-1:]
        self._stage = Stage(1, 1, shape.epochs, exits=exits)
        self._rate = method.rate

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def layers(self, step: int) -> tuple[int, ...]:
        """The layers, from 1, that run in the step after `step` others; drawn from (seed, step) alone."""
        rng = np.random.default_rng(np.random.SeedSequence((self.shape.seed, step), spawn_key=(2,)))
        runs = rng.random(self.shape.num_layers) >= self._rate
        return tuple(int(layer) for layer in np.flatnonzero(runs) + 1)

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.passes`."""
        exits = self._stage.exits
        return (Pass(exits, (exits,), layers=self.layers(step)),)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.loss`."""
        return exit_losses(logits, labels).mean()

    def logits(self, context: StepContext, micro: MicroBatch) -> Tensor:
        """See `MethodRun.logits`."""
        return context.forward(micro.inputs, self._stage.exits, self.layers(context.step))
