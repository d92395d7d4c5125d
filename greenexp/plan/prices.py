"""What a price is: a bound per budget axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenexp.schedulers.brackets import Bracket

if TYPE_CHECKING:
    from greenexp.tasks.contents import SplitContents


@dataclass(frozen=True, slots=True)
class Bound:
    """One axis, in its unit: what the sweep costs at most, what the scheduler is expected to leave of it.

    None where it cannot be told, with the reason. Failed attempts that are repeated come on top.
    """

    most: float | None
    expected: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DataContents:
    """The texts that trials read. max_length: tokens after which they are cut; splits: name -> what is in it."""

    max_length: int
    splits: Mapping[str, SplitContents]


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a plan.

    bounds: every axis of `greenexp.records.axes`; eval_flops: evaluation on dev, on top of the axis `train_flops`
    brackets: the scheduler's plan; exact: whether `expected` is certain (no failures, no trial that ends by its own
        patience), not an expectation; patience: whether trials may end by it, so that both are upper bounds
    notes: what should be known before it is paid
    time_after: the recorded sweep that the bounds on time rest on, "" if there is none
    data: what is in the data, an entry per distinct task, tokeniser and sequence length
    """

    bounds: Mapping[str, Bound]
    eval_flops: Bound
    brackets: tuple[Bracket, ...]
    exact: bool
    patience: bool = False
    notes: tuple[str, ...] = ()
    time_after: str = ""
    data: tuple[DataContents, ...] = ()

    def over_budget(self, limits: Mapping[str, float], workers: int) -> tuple[str, ...]:
        """The axes whose most exceeds its limit, so that the sweep may end there.

        Unknown bounds are left out. A limit on `wall_s` is on elapsed time, which `workers` trials at a time share.
        """
        return tuple(
            axis
            for axis, limit in limits.items()
            if (self.bounds[axis].most or 0.0) / (workers if axis == "wall_s" else 1) > limit
        )
