"""ElasticBERT's fine-tuning (Liu et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from greenexp.methods.base import Method, MicroBatch, StepContext, TrialShape
from greenexp.methods.joint import JointRun


@dataclass(frozen=True)
class ElasticBertFineTuning(Method):
    """Joint training with gradient equilibrium: no layer is pushed harder because more exits lie above it.

    Formula: L = sum_m CE_m, m = 1..M the exits, CE_m the mean cross-entropy of exit m (MSE for regression). On its way
    back the gradient is rescaled: what goes down from exit m's layer is the mean, not the sum, of the gradients of the
    exits m..M, so every layer below moves by g / (number of exits above it), g its gradient under plain L.
    Source: Liu, Sun et al., Findings of NAACL 2022; repository fastnlp/ElasticBERT@ffb827b4. Gradient equilibrium: Li
    et al., ICCV 2019, repository kalviny/IMTA@a9378373.
    What an exit has of its own, pooler and classifier, gets its gradient whole; a pooler that all exits share gets
    their sum. Embeddings count as lying below the first exit.
    Official hyperparameters: learning rate 2e-5, batch 32, 5 epochs, weight decay 0.1, warm-up 0.06; a pooler per exit,
    from the checkpoint; the best epoch is chosen by the mean over the exits.
    Departures of the official code: none in training.
    Passes: one forward and one backward through all exits.
    """

    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "pooled"}, "backbone.pooling": "pooler"}

    def begin(self, shape: TrialShape) -> ElasticBertFineTuningRun:
        """See `Method.begin`."""
        return ElasticBertFineTuningRun(shape, [1.0] * len(shape.exits))


class ElasticBertFineTuningRun(JointRun):
    """One trial of `ElasticBertFineTuning`."""

    def logits(self, context: StepContext, micro: MicroBatch) -> Tensor:
        """See `MethodRun.logits`."""
        return torch.stack(context.outputs(micro.inputs, self.stage(context.epoch).exits, equilibrium=True).logits)
