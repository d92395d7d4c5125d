"""The one protocol every exit policy follows in stream form."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class PolicyStream(Protocol):
    """One batch on its way up. Rows are the examples still inside, in their order."""

    def leaves(self, exit_number: int, logits: Tensor) -> Tensor:
        """Who leaves at this exit, bool [example]. Called once per evaluated exit, ascending, with its logits.

        The caller lets everybody leave at the last trained exit and never asks about an untrained one.
        """

    def keep(self, rows: Tensor) -> None:
        """Forget everybody but `rows` (bool mask or int64 indices over the current rows)."""


class Policy(Protocol):
    """The frozen dataclass behind a name in POLICIES; its fields are the thresholds.

    One that has a replay form (`greenexp.records.replay`) names it in a class variable `family`.
    """

    def stream(self) -> PolicyStream:
        """The policy at the first layer, nothing seen yet."""


class Stateless:
    """Base of streams whose decision depends on the current exit alone."""

    def keep(self, rows: Tensor) -> None:
        """See `PolicyStream.keep`: nothing is remembered, so nothing is forgotten."""
