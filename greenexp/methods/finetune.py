"""Plain fine-tuning, and its first-k-layers baselines (6L, 9L, 12L)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from greenexp.methods.base import Method, TrialShape
from greenexp.methods.depth import check_depth, cut_to
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
        return cut_to(settings, self.layers, "finetune")

    def begin(self, shape: TrialShape) -> JointRun:
        """See `Method.begin`."""
        check_depth(shape, self.layers, "finetune")
        return JointRun(shape, [0.0] * (len(shape.exits) - 1) + [1.0])
