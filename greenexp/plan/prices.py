"""What a price is: a bound per budget axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from greenexp.schedulers.brackets import Bracket


@dataclass(frozen=True, slots=True)
class Bound:
    """One axis, in its unit: what the sweep costs at most, what the scheduler is expected to leave of it.

    None where it cannot be told, with the reason. Failed attempts that are repeated come on top.
    """

    most: float | None
    expected: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a plan.

    bounds: every axis of `greenexp.records.axes`; eval_flops: evaluation on dev, on top of the axis `train_flops`
    brackets: the scheduler's plan; exact: whether `expected` is certain (no failures, no trial that ends by its own
        patience), not an expectation; patience: whether trials may end by it, so that both are upper bounds
    notes: what should be known before it is paid
    """

    bounds: Mapping[str, Bound]
    eval_flops: Bound
    brackets: tuple[Bracket, ...]
    exact: bool
    patience: bool = False
    notes: tuple[str, ...] = ()

    def over_budget(self, limits: Mapping[str, float], workers: int) -> tuple[str, ...]:
        """The axes whose most exceeds its limit, so that the sweep may end there.

        Unknown bounds are left out. A limit on `wall_s` is on elapsed time, which `workers` trials at a time share.
        """
        return tuple(
            axis
            for axis, limit in limits.items()
            if (self.bounds[axis].most or 0.0) / (workers if axis == "wall_s" else 1) > limit
        )
