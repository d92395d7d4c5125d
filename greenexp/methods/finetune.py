"""Plain fine-tuning, and its first-k-layers baselines (6L, 9L, 12L)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from greenexp.errors import InputError
from greenexp.methods.base import Method, TrialShape
from greenexp.methods.joint import JointRun
from greenexp.records.settings import ModelSettings


@dataclass(frozen=True)
class FineTune(Method):
    """Fine-tuning of the last exit alone; the exits below it stay untrained.

    Formula: L = CE_M, the mean cross-entropy of the last exit (MSE for regression).
    Source: Devlin et al., NAACL 2019; the truncated baselines of Zhou et al. 2020 and Zhu 2021 (ALBERT-6L, -9L).
    Passes: one forward and one backward, the last exit only.

    layers: number of layers of the backbone that are kept, from the first; None keeps all
    """

    layers: Annotated[int, Field(ge=1)] | None = None

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """Cut the backbone to `layers`, and the exits with it."""
        if self.layers is None:
            return settings
        depth = settings.backbone.options.get("layers")
        if depth is not None and depth < self.layers:
            raise InputError(f"finetune: layers: the first {self.layers} of a backbone of {depth} layers")
        exits = settings.layers
        if exits != "all":
            exits = (*(layer for layer in exits if layer < self.layers), self.layers)
        return replace(settings.with_backbone(layers=self.layers), layers=exits)

    def begin(self, shape: TrialShape) -> JointRun:
        """See `Method.begin`."""
        if self.layers is not None and shape.num_layers != self.layers:
            raise InputError(
                f"finetune: layers: {self.layers}, but the model has {shape.num_layers}: build it from adapted settings"
            )
        return JointRun(shape, [0.0] * (len(shape.exits) - 1) + [1.0])
