"""A learned exit module says whether to go on (BERxiT, Xin et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitDecision, ExitOutput, Stateless, own_answers
from greenexp.exits.policies.softmax import COMPARE
from greenexp.replay.fields import Threshold, check_fields, limit_at


@dataclass(frozen=True)
class Learned(Stateless):
    """An example leaves at the first exit where the model's learned exit module says less than the threshold.

    The module ("learning to exit") reads an exit's state and says how probable it is that this exit is wrong; for
    regression, how far off it is, as |tanh(y - label)|. The comparator is `<`, in float32, and the last exit takes
    everybody left unasked, as in the official code. NaN, or anything outside 0 to 1, lets nobody leave. InputError for
    a model that has no such module: it comes with training methods that learn one.

    threshold: 0 and below let nobody leave; or exit number -> threshold, an exit without one never letting anybody
        leave, as the official code's thresholds per layer
    comparator: `<`, or `<=`
    """

    threshold: Threshold = 0.3
    comparator: str = "<"

    family: ClassVar[str] = "learned"

    def __post_init__(self) -> None:
        check_fields(self, "learned")

    def stream(self) -> Learned:
        """See `Policy.stream`."""
        return self

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        if output.learned is None:
            raise InputError("learned needs a model with a learned exit module, and this one has none")
        wrong = output.learned.float()
        wrong = wrong.where((wrong >= 0) & (wrong <= 1), torch.nan)
        leaves = COMPARE[self.comparator](wrong, limit_at(self.threshold, output.number))
        return ExitDecision(leaves, own_answers(output.logits))
