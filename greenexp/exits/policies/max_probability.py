"""Confidence as the largest class probability (Shallow-Deep, Kaya et al. 2019; Schwartz et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from greenexp.exits.policies.base import ExitDecision, ExitOutput, PolicyStream, Stateless, own_answers
from greenexp.exits.policies.softmax import COMPARE, max_probability
from greenexp.replay.fields import Threshold, check_fields, limit_at


@dataclass(frozen=True)
class MaxProbability(Stateless):
    """An example leaves at the first exit whose largest softmax probability is >= the threshold.

    p = 1 / sum_k exp(z_k - max z), which cannot overflow: saturated logits give 1, equal ones 1/K. It is computed in
    float64 and rounded to float32, and so is the threshold. Logits with a NaN or an infinity are never confident.
    Regression has no confidence and is refused. The last exit takes everybody left, whatever its confidence.

    The official code of both papers leaves at `>=` and runs one example at a time. Where no exit is confident, that of
    Schwartz et al. lets the last exit answer, that of Shallow-Deep the most confident one of all exits, at full cost.

    threshold: 0 lets everybody with finite logits leave at the first exit, anything above 1 nobody before the last; or
        exit number -> threshold, an exit without one never letting anybody leave
    comparator: `>=`, or `>`
    unsure: who answers: `last`, the exit where an example leaves; `most_confident`, the most confident exit so far, the
        first of several. With one threshold that is the exit where an example leaves confident, so it only matters for
        those that reach the last exit unsure
    """

    threshold: Threshold = 0.9
    comparator: str = ">="
    unsure: str = "last"

    family: ClassVar[str] = "max_probability"

    def __post_init__(self) -> None:
        check_fields(self, "max_probability")

    def stream(self) -> PolicyStream:
        """See `Policy.stream`."""
        return self if self.unsure == "last" else _MostConfident(self)

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        return ExitDecision(
            self.is_confident(max_probability(output.logits), output.number), own_answers(output.logits)
        )

    def is_confident(self, probability: Tensor, number: int) -> Tensor:
        """Who leaves at exit `number`, bool [example]."""
        return COMPARE[self.comparator](probability, limit_at(self.threshold, number))


class _MostConfident:
    """Remembers each row's most confident exit so far: its probability (-inf: none yet) and its answer."""

    def __init__(self, policy: MaxProbability) -> None:
        self._policy = policy
        self._probability: Tensor | None = None
        self._answer: Tensor | None = None

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        probability, answer = max_probability(output.logits), own_answers(output.logits)
        leaves = self._policy.is_confident(probability, output.number)
        if self._probability is None or self._answer is None:
            self._probability, self._answer = probability.nan_to_num(nan=-torch.inf), answer
            return ExitDecision(leaves, answer)
        # Nobody confident so far: the last one asked answers.
        better = (probability > self._probability) | (self._probability == -torch.inf)
        self._answer = answer.where(better, self._answer)
        self._probability = probability.nan_to_num(nan=-torch.inf).where(better, self._probability)
        return ExitDecision(leaves, self._answer)

    def keep(self, rows: Tensor) -> None:
        """See `PolicyStream.keep`."""
        if self._probability is not None and self._answer is not None:
            self._probability, self._answer = self._probability[rows], self._answer[rows]
