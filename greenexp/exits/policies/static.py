"""Always the same exit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from greenexp.exits.policies.base import Stateless


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

    def leaves(self, exit_number: int, logits: Tensor) -> Tensor:
        """See `PolicyStream.leaves`: true from `exit` on, so that an untrained exit there is passed over."""
        here = self.exit is not None and exit_number >= self.exit
        return torch.full((logits.shape[0],), here, dtype=torch.bool, device=logits.device)
