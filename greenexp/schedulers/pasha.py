"""Progressive successive halving: the highest rung rises only while the order of the leaders is unsettled."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.errors import FieldError
from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import NextRung, UnitVerdict
from greenexp.schedulers.brackets import Bracket
from greenexp.schedulers.expectation import expected_bracket
from greenexp.schedulers.promotion import PromotionRun
from greenexp.schedulers.ranking import crossing_distance, same_order
from greenexp.schedulers.resource import FirstRung, Resource, RungsOnAnAxis
from greenexp.schedulers.rungs import check_halving, every_report, upward_rungs


@dataclass(frozen=True, slots=True)
class Pasha(RungsOnAnAxis):
    """Progressive ASHA: `asha_promotion` whose highest rung rises only while the ranking of the leaders is unsettled.

    reduction_factor, resource, grace_period, per_trial: see asha_promotion
    epsilon: two values that differ by at most this much count as equal when rankings are compared; without it, it is
        estimated from the learning curves, which needs a resource of epochs: only then all curves have values at the
        same places

    At first only two rungs are open, and units wait at the second. Whenever a unit comes to the highest open rung, the
    units there are ranked by their values there, and by their values at the rung below. The ranking is settled if
    every place is taken at the higher rung by a unit whose value at the rung below lies within epsilon of the value of
    the unit that takes this place there. Otherwise one more rung is opened, the last of which is the end of training.

    The estimate of epsilon: of all pairs of units that have both trained beyond the rung below the highest one, those
    whose curves have crossed at least twice, that is, that have been in one order, then in the other, then in the first
    again; the 90th percentile (linear interpolation) of their distances at the last epoch that both have reached; 0 if
    there are none. For it, values are recorded at every report from grace_period on, and the seeds of a configuration
    wait for each other at each of them; with an `epsilon`, at rungs only.

    Where the paper is silent: equal values are ranked by their order in the plan; units with a failed seed are not part
    of the ranking; all that an opened rung lets go on are released at once, and go on as workers become free. When the
    search is done and all units have come as far as they may, the best at the highest open rung trains to the end and
    the others are stopped; the paper retrains it. The plan's counts presume that the order of the units never changes,
    so that no rung is opened: a sweep may cost as much as under asha_promotion.

    Source: Bohdal, Balles, Wistuba, Ermis, Archambeau, Zappella 2023, PASHA: efficient HPO and NAS with progressive
    resource allocation (ICLR), algorithm 1.
    """

    title: ClassVar[str] = "PASHA"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = False

    reduction_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    resource: Resource = EPOCHS
    grace_period: FirstRung | None = None
    epsilon: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    per_trial: bool = False

    def start(self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1) -> PashaRun:
        """A running scheduler. Raises InputError if no rung could stop anything."""
        count = len(units) + later
        eta, first, resource = self.reduction_factor, self.first, self.resource
        check_halving("pasha", eta, first, max_epochs, count, reports_per_epoch, resource)
        if resource != EPOCHS and self.epsilon is None:
            why = f"must be given where resource is {resource}: it is estimated from curves over epochs only"
            raise FieldError("epsilon", why)
        rungs = upward_rungs(first, eta, max_epochs, 0, reports_per_epoch, resource)
        watched = every_report(self.first, max_epochs, reports_per_epoch) if self.epsilon is None else ()
        return PashaRun(self, units, (rungs, watched), max_epochs, closed=not later)


class PashaRun(PromotionRun):
    """Rungs that promote as far as the highest open one, and the learning curves where epsilon is estimated."""

    def __init__(
        self,
        settings: Pasha,
        units: Sequence[str],
        places: tuple[Sequence[Epochs], Sequence[Epochs]],
        max_epochs: int,
        *,
        closed: bool,
    ) -> None:
        self._settings = settings
        self._max_epochs = max_epochs
        rungs, watched = places
        super().__init__(rungs, settings.reduction_factor, units, closed=closed)
        self._watched = tuple(sorted({*watched, *rungs}))
        self._curves: dict[str, list[float]] = {}  # values after the watched epochs
        self._top = 1
        """The highest open rung; their number where training to the end is open."""

    def next_rung(self, unit: str) -> NextRung | None:
        """The unit's next rung, or an epoch before it after which its value is recorded."""
        rung = super().next_rung(unit)
        return rung and NextRung(self._next_epoch(unit, rung.epoch), rung.bracket)

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """See `PromotionRun.arrive`; between rungs the unit goes on at once."""
        rung = self._rungs[self._level[unit]].epoch
        epoch = self._next_epoch(unit, rung)
        if value is None:
            own, *others = super().arrive(unit, None, reason)
            return (dataclasses.replace(own, rung=epoch), *others)
        self._curves.setdefault(unit, []).append(value)
        if epoch < rung:
            return (UnitVerdict(unit, True, epoch, 0, value, None, "between rungs"),)
        return super().arrive(unit, value, reason)

    def _next_epoch(self, unit: str, rung: Epochs) -> Epochs:
        """The next watched epoch up to `rung`."""
        come = len(self._curves.get(unit, ()))
        return min(self._watched[come], rung) if come < len(self._watched) else rung

    def _promote(self, level: int) -> list[UnitVerdict]:
        """Promote as far as the highest open rung, which rises if the ranking at it is unsettled."""
        if level == self._top and not self._settled():
            self._top += 1
        return super()._promote(level) if level < self._top else []

    def _last_to_go_on(self, level: int) -> list[str]:
        """At the highest open rung the best, also of those that entered a search that was done and then continued."""
        if level != self._top:
            return super()._last_to_go_on(level)
        promoted = self._rungs[level].promoted
        return [unit for unit in self._rungs[level].best(1) if unit not in promoted and unit not in self._stopped]

    def _last_verdicts(self, level: int) -> list[UnitVerdict]:
        """Who goes on from the highest open rung trains to the end."""
        verdicts = super()._last_verdicts(level)
        if level == self._top:
            for verdict in verdicts:
                if verdict.go_on:
                    self._level[verdict.unit] = len(self._rungs)
                    self._rungs[level].following -= 1
        return verdicts

    def _settled(self) -> bool:
        """Whether the units at the highest open rung are ranked there as at the rung below."""
        above, below = self._rungs[self._top], self._rungs[self._top - 1]
        pairs = [
            (low, high)
            for unit in self._place
            if (high := above.values.get(unit)) is not None and (low := below.values.get(unit)) is not None
        ]
        return same_order(pairs, self._epsilon(below.epoch))

    def _epsilon(self, below: Epochs) -> float:
        """The given one, or that of the curves that reach beyond epoch `below`."""
        if self._settings.epsilon is not None:
            return self._settings.epsilon
        known = sum(epoch <= below for epoch in self._watched)
        return crossing_distance([curve for curve in self._curves.values() if len(curve) > known])

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """One bracket with expected counts."""
        return (expected_bracket(self._settings, self.size, self._watched, self._max_epochs),)
