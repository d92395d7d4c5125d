"""Uncertainty as the entropy of the class probabilities (BranchyNet, DeeBERT, FastBERT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from greenexp.exits.policies.base import ExitDecision, ExitOutput, Stateless, own_answers
from greenexp.exits.policies.softmax import COMPARE, entropy
from greenexp.replay.fields import Threshold, check_fields, limit_at


@dataclass(frozen=True)
class Entropy(Stateless):
    """An example leaves at the first exit whose entropy is < the threshold.

    H = -sum_k p_k ln p_k with p = softmax(z), computed as ln(1 + R) + sum_k(-s_k e^s_k) / (1 + R) with s = z - max z
    and R the sum of e^s over all classes but one largest: every term is >= 0 and every exp <= 1, so nothing cancels or
    overflows, and what underflows counts 0. In float64, rounded to float32, and so is the threshold. From 0 (saturated
    logits) to ln K (equal ones). Logits with a NaN or an infinity are never sure. Regression is refused: its entropy
    is always 0, and everybody would leave at the first exit. The last exit takes everybody left, whatever its entropy.

    Comparators of official code: `<` in BranchyNet, DeeBERT, BERxiT and ElasticBERT (nats) and in FastBERT's package
    (normalised), `<=` in FastBERT's script. Their formulas give NaN or infinity for logits above about 88, or where a
    probability underflows, and such an example never leaves; here it does. DeeBERT's encoder also asks its last
    off-ramp, which was never trained, and may answer with it; here the last exit is what the record or model says.

    threshold: 0 and below let nobody leave; or exit number -> threshold, an exit without one never letting anybody
        leave
    normalised: false: in nats; true: divided by ln K, as in FastBERT, from 0 to 1
    comparator: `<`, or `<=`
    """

    threshold: Threshold = 0.3
    normalised: bool = False
    comparator: str = "<"

    family: ClassVar[str] = "entropy"

    def __post_init__(self) -> None:
        check_fields(self, "entropy")

    def stream(self) -> Entropy:
        """See `Policy.stream`."""
        return self

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`."""
        unsure = entropy(output.logits, self.normalised)
        leaves = COMPARE[self.comparator](unsure, limit_at(self.threshold, output.number))
        return ExitDecision(leaves, own_answers(output.logits))
