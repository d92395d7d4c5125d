"""What a price is: a bound per budget axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenexp.records.foreseen import NOTHING_FORESEEN, Foreseen
from greenexp.records.origins import OriginFact
from greenexp.records.priced import WORKER, PriceFact
from greenexp.schedulers.brackets import Bracket

if TYPE_CHECKING:
    from greenexp.tasks.contents import SplitContents


@dataclass(frozen=True, slots=True)
class Bound:
    """One axis, in its unit: what the sweep costs at most, what the scheduler is expected to leave of it.

    None where it cannot be told, with the reason. Failed attempts that are repeated come on top.
    low, high: an 80 % interval around `expected`; None where `expected` is certain or not known
    source: what was measured on this axis before, "" where nothing needs to be; `most` is then the upper end of an
        80 % interval too, if nothing is stopped early
    """

    most: float | None
    expected: float | None
    reason: str = ""
    low: float | None = None
    high: float | None = None
    source: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        """(low, high), of a certain number twice that number; None where nothing is known."""
        if self.expected is None:
            return None
        return (self.expected if self.low is None else self.low, self.expected if self.high is None else self.high)


UNKNOWN = Bound(None, None)


@dataclass(frozen=True, slots=True)
class DataContents:
    """The texts that trials read. max_length: tokens after which they are cut; splits: name -> what is in it."""

    max_length: int
    splits: Mapping[str, SplitContents]


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a plan.

    bounds: every axis of `greenexp.records.axes`, `wall_s` in elapsed seconds; eval_flops: evaluation on dev, on top of
        the axis `train_flops`; worker_s: seconds in which trials hold a worker, summed
    brackets: the scheduler's plan; exact: whether `expected` is certain (no failures, no trial that ends by its own
        patience), not an expectation; patience: whether trials may end by it, so that both are upper bounds
    notes: what should be known before it is paid
    data: what is in the data, an entry per distinct task, tokeniser and sequence length
    foreseen: what trials are expected to take by themselves
    own: `bounds` without what `origins` cost, the models of other sweeps that trials begin with; empty: the same
    """

    bounds: Mapping[str, Bound]
    eval_flops: Bound
    brackets: tuple[Bracket, ...]
    exact: bool
    patience: bool = False
    notes: tuple[str, ...] = ()
    data: tuple[DataContents, ...] = ()
    worker_s: Bound = UNKNOWN
    foreseen: Foreseen = NOTHING_FORESEEN
    own: Mapping[str, Bound] = field(default_factory=dict)
    origins: tuple[OriginFact, ...] = ()

    @property
    def time_after(self) -> str:
        """What was measured before that the price in time rests on, in words; "" if there is nothing."""
        return self.bounds["wall_s"].source

    def over_budget(self, limits: Mapping[str, float]) -> tuple[str, ...]:
        """The axes whose most exceeds its limit, so that the sweep may end there; unknown bounds are left out.

        What the sweep's own trials spend counts, as while it runs.
        """
        bounds = self.own or self.bounds
        return tuple(axis for axis, limit in limits.items() if (bounds[axis].most or 0.0) > limit)

    def facts(self) -> dict[str, PriceFact]:
        """What the journal keeps of it: axis (and `worker_s`) -> its interval, of those that are known.

        Without what `origins` cost, since it is compared with what the sweep itself used.
        """
        found: dict[str, PriceFact] = {}
        for axis, bound in {**(self.own or self.bounds), WORKER: self.worker_s}.items():
            if bound.expected is not None and bound.interval is not None:
                low, high = bound.interval
                found[axis] = {"low": low, "expected": bound.expected, "high": high, "source": bound.source}
        return found
