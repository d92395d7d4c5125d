"""Always the same exit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from greenexp.exits.policies.base import ExitDecision, ExitOutput, Stateless, own_answers
from greenexp.replay.fields import check_fields


@dataclass(frozen=True)
class Static(Stateless):
    """Everybody leaves at one exit, whatever its logits say.

    exit: its number, from 1; the next consulted one if it is not trained; None for the last
    """

    exit: int | None = None

    family: ClassVar[str] = "static"

    def __post_init__(self) -> None:
        check_fields(self, "static")

    def stream(self) -> Static:
        """See `Policy.stream`."""
        return self

    def decide(self, output: ExitOutput) -> ExitDecision:
        """See `PolicyStream.decide`: true from `exit` on, so that an untrained exit there is passed over."""
        here = self.exit is not None and output.number >= self.exit
        leaves = torch.full(output.logits.shape[:1], here, dtype=torch.bool, device=output.logits.device)
        return ExitDecision(leaves, own_answers(output.logits))
