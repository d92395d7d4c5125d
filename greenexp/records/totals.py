"""Totals of costs: the one place where what was spent is added up, for limits, tables and MLflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from greenexp.records.epoch import Costs
from greenexp.records.tables import LOST_COSTS, SUMMED_COSTS


@dataclass(slots=True)
class CostTotals:
    """The sum of each of `SUMMED_COSTS` over the epochs added so far; `peak_memory_b` has none.

    A sum is not known as soon as an epoch's part of it was not measured: a partial sum would look like a total.
    """

    _sums: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(cls, epochs: Iterable[Costs], lost: Iterable[Mapping[str, float | None]]) -> CostTotals:
        """Those of epochs that were reported, and of epochs that failed; see `add` and `add_lost`."""
        totals = cls()
        for costs in epochs:
            totals.add(costs)
        for part in lost:
            totals.add_lost(part)
        return totals

    def add(self, costs: Costs) -> None:
        """An epoch that was reported."""
        for name in SUMMED_COSTS:
            self._add(name, getattr(costs, name))

    def add_lost(self, costs: Mapping[str, float | None]) -> None:
        """What a failed epoch cost, as far as its worker could still tell; what is absent or None is left out."""
        for name in LOST_COSTS:
            if costs.get(name) is not None:
                self._add(name, costs[name])

    def total(self, name: str) -> float | None:
        """The sum; None if it is not known, or if nothing has run: nothing measured is not a cost of 0."""
        return self._sums.get(name)

    def so_far(self, name: str) -> float | None:
        """The same for a limit, which begins to count at 0: 0.0 if nothing has run."""
        return self._sums.get(name, 0.0)

    def _add(self, name: str, cost: float | None) -> None:
        before = self.so_far(name)
        self._sums[name] = None if before is None or cost is None else before + cost
