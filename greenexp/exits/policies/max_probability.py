"""Confidence as the largest class probability (Shallow-Deep, Kaya et al. 2019; Schwartz et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from greenexp.errors import InputError
from greenexp.exits.policies.base import Decision, ExitOutput, Stateless, own_answers


@dataclass(frozen=True)
class MaxProbability(Stateless):
    """An example leaves at the first exit whose largest softmax probability is >= the threshold.

    The comparator is `>=`, as in the code of both papers. The probability is 1 / sum_k exp(z_k - max z), which cannot
    overflow: saturated logits give 1. It is computed in float64 and rounded to float32, and so is the threshold; two
    implementations of exp differ in the last bits of float64, but then practically never in float32, which makes this
    and the replay over recorded logits (`greenexp.records`) decide alike on any device. Logits with a NaN or an
    infinity are never confident. Regression has no confidence and is refused.

    threshold: 0 lets everybody leave at the first exit, anything above 1 nobody before the last
    """

    threshold: Annotated[float, Field(ge=0)] = 0.9

    family: ClassVar[str] = "max_probability"

    def stream(self) -> MaxProbability:
        """See `Policy.stream`."""
        return self

    def decide(self, output: ExitOutput) -> Decision:
        """See `PolicyStream.decide`."""
        return Decision(max_probability(output.logits) >= self.threshold, own_answers(output.logits))


def max_probability(logits: Tensor) -> Tensor:
    """float32 [...]: largest softmax probability of `logits` [..., class]; NaN where a logit is NaN or infinite."""
    if logits.shape[-1] < 2:
        raise InputError("max_probability needs at least two classes: a regression output has no confidence")
    values = logits.double()
    probability = (1 / (values - values.amax(dim=-1, keepdim=True)).exp().sum(dim=-1)).float()
    return probability.where(values.isfinite().all(dim=-1), torch.nan)
