"""Always the same exit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field

from greenexp.exits.policies.base import Decision, ExitOutput, Stateless, own_answers


@dataclass(frozen=True)
class Static(Stateless):
    """Everybody leaves at one exit, whatever its logits say.

    exit: its number, from 1; None for the last
    """

    exit: Annotated[int, Field(ge=1)] | None = None

    family: ClassVar[str] = "static"

    def stream(self) -> Static:
        """See `Policy.stream`."""
        return self

    def decide(self, output: ExitOutput) -> Decision:
        """See `PolicyStream.decide`: true from `exit` on, so that an untrained exit there is passed over."""
        here = self.exit is not None and output.number >= self.exit
        leaves = torch.full(output.logits.shape[:1], here, dtype=torch.bool, device=output.logits.device)
        return Decision(leaves, own_answers(output.logits))
