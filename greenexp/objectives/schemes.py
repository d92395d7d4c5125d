"""When and on what loss weights learn: the schemes of LeeBERT (Zhu 2021), as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

SchemeName = Literal["uniform", "random", "slo", "blo", "clo-v1", "clo-v2"]
Reading = Literal["algorithm", "text"]


class Look(StrEnum):
    """Where a vector of loss terms was measured: on which batch, before or after the step of theta."""

    FIRST_BEFORE = "B1, before the step of theta"
    FIRST_AFTER = "B1, after the step of theta"
    SECOND_AFTER = "B2, after the step of theta"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How the weights omega follow the model's weights theta. B1 and B2: batches of the disjoint halves D1 and D2.

    uniform, random    omega stays
    slo                omega descends L_B1 together with theta: its gradient is measured before theta's step, for free
    blo                omega descends L_B2 after theta's step on B1 (eq. 8)
    clo-v1             omega descends L_B1 and L_B2, both measured anew after theta's step (algorithm 1)
    clo-v2             every `cycle`-th step as clo-v1; the others by `reading`: `algorithm` as slo (algorithm 2, eq.
                       12), `text` leaves omega alone (section 3.4: theta is updated solely)
    """

    name: SchemeName
    cycle: int = 4
    reading: Reading = "algorithm"

    def __post_init__(self) -> None:
        # A name that is none would otherwise look nowhere, that is, mean `uniform`.
        for field, value, known in (("name", self.name, SchemeName), ("reading", self.reading, Reading)):
            if value not in get_args(known):
                raise ValueError(f"scheme: {field}: expected one of {', '.join(get_args(known))}, got {value!r}")
        if self.cycle < 1:
            raise ValueError(f"scheme: cycle: expected 1 or more, got {self.cycle}")

    @property
    def learns(self) -> bool:
        """Whether omega ever moves."""
        return self.name not in ("uniform", "random")

    @property
    def splits(self) -> bool:
        """Whether it wants a second half of the training set."""
        return self.name in ("blo", "clo-v1", "clo-v2")

    def looks(self, step: int) -> tuple[Look, ...]:
        """The measurements that omega's update at `step` (from 0) descends; empty: no update."""
        if self.name == "slo":
            return (Look.FIRST_BEFORE,)
        if self.name == "blo":
            return (Look.SECOND_AFTER,)
        if self.name == "clo-v1" or (self.name == "clo-v2" and step % self.cycle == self.cycle - 1):
            return (Look.FIRST_AFTER, Look.SECOND_AFTER)
        if self.name == "clo-v2" and self.reading == "algorithm":
            return (Look.FIRST_BEFORE,)
        return ()
