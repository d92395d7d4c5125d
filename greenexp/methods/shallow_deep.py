"""Shallow-Deep networks (Kaya et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from greenexp.errors import InputError
from greenexp.methods.base import Method, MethodRun, Stage, TrialShape
from greenexp.methods.staged import StagedRun
from greenexp.objectives import exit_losses


@dataclass(frozen=True)
class ShallowDeep(Method):
    """Internal classifiers on a trained network, or the whole network with ever heavier internal classifiers.

    Formula: `ic_only`: stage 1 L = CE_M; stage 2 L = sum_{i<M} CE_i, all else frozen.
    `joint`: L = CE_M + sum_{i<M} tau_i(e) CE_i, tau_i(e) = min(C_i, 0.01 + e C_i / E).
    Symbols: M exits, CE_i the mean cross-entropy of exit i (MSE for regression), e the epoch from 1, E epochs in all,
    C_i = layer of exit i / layers, what it costs relative to the whole network.
    Source: Kaya, Hong, Dumitras, ICML 2019; repository yigitcankaya/Shallow-Deep-Networks@a5564462.
    Official hyperparameters, for image classification: `ic_only` Adam, learning rate 1e-3, divided by 10 after epoch 15
    of 25; `joint` SGD with momentum 0.9, learning rate 0.1, divided by 10 after epochs 35, 60 and 85 of 100; six
    internal classifiers at 15 to 90 % of the network's operations (exit head `mixed_pool`, the default).
    Departures: trained as the section `training` says, by default AdamW with warm-up and a linear fall.
    The last exit has a head of the same kind as the others. C_i are shares of layers, not of operations. Of the
    official networks VGG has dropout 0.5 and WideResNet 0.3, which stay on in `ic_only`, ResNet and MobileNet have
    none; here the frozen part has none in stage 2 unless `frozen_dropout` is on.
    Passes: `ic_only` as deebert; `joint` one forward and one backward through all exits.

    mode: `ic_only` or `joint`
    first_epochs: of `ic_only`: epochs of stage 1; None: half, rounded up
    later_rate: of `ic_only`: factor on the learning rate in stage 2
    frozen_dropout: of `ic_only`: whether the backbone's dropout stays on in stage 2
    """

    mode: Literal["ic_only", "joint"] = "joint"
    first_epochs: Annotated[int, Field(ge=1)] | None = None
    later_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    frozen_dropout: bool = False

    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "mixed_pool"}}

    def __post_init__(self) -> None:
        if self.mode == "joint" and self.first_epochs is not None:
            raise InputError("shallow_deep: first_epochs: mode joint has one stage")

    def begin(self, shape: TrialShape) -> MethodRun:
        """See `Method.begin`."""
        if self.mode == "joint":
            return RisingRun(shape)
        return StagedRun(
            "shallow_deep", shape, self.first_epochs, frozen_dropout=self.frozen_dropout, later_rate=self.later_rate
        )


class RisingRun(MethodRun):
    """Mode `joint`."""

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return Stage(1, 1, self.shape.epochs, exits=self.shape.exits)

    def weights(self, epoch: int) -> tuple[float, ...]:
        """tau_i of `epoch` (from 1) per exit, 1 for the last."""
        largest = [layer / self.shape.num_layers for layer in self.shape.exit_layers[:-1]]
        return (*(min(most, 0.01 + epoch * most / self.shape.epochs) for most in largest), 1.0)

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """See `MethodRun.loss`."""
        losses = exit_losses(logits, labels)
        return (torch.tensor(self.weights(epoch), dtype=torch.float64).to(losses) * losses).sum()
