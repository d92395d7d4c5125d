"""Asynchronous successive halving, as it was published: by promotion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs
from greenexp.schedulers.brackets import Bracket
from greenexp.schedulers.expectation import expected_bracket
from greenexp.schedulers.promotion import PromotionRun
from greenexp.schedulers.resource import FirstRung, Resource, RungsOnAnAxis
from greenexp.schedulers.rungs import check_halving, upward_rungs
from greenexp.schedulers.seed_ladder import RungSeeds


@dataclass(frozen=True, slots=True)
class AshaPromotion(RungsOnAnAxis):
    """Asynchronous successive halving by *promotion*: a unit pauses at its rung, and goes on once it is good enough.

    reduction_factor: eta; whenever a unit comes to a rung, those of the best floor(m / eta) of the m units seen there
        that have not gone on yet do so
    resource, grace_period: r, what is used before the first rung; rungs lie at r x eta^k: see asha
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration
    seeds: how many seeds of a configuration count at the first rung, the second, ...: see asha

    Nothing is stopped that could still go on: paused units are stopped only when their rung is final, that is, when
    all units that will ever come there have come or failed. No first rung is final before the search is done. Of a
    final rung that let nobody go on, as it saw fewer than eta units, the best goes on; the paper, whose search has no
    end, has no such rule. Units with a failed seed count among the m and rank last. Equal values: the unit earlier in
    the plan goes on; the paper is silent. Who goes on depends on the order of arrival, but only on ranks.

    The paper decides whenever a worker is free, from the highest rung down; here the decision falls when a unit comes.
    Between two arrivals nothing changes that it depends on. An arrival raises floor(m / eta) by one at most, and who
    was among the best before has gone on; so it lets one unit go on at most, and frees the worker for it. If the seeds
    of a configuration are several trials, a free worker may find several units that may go on: then those at the
    highest rung are taken first. A free worker takes a new configuration only where no paused one may go on.

    Syne Tune 0.12 (PromotionRungSystem) compares with an interpolated quantile instead: floor((m - 1) / eta) + 1 of m
    >= 2 units go on. With that count in the place of floor(m / eta), workers take up the same jobs here and there (135
    random sweeps of 40 units, eta 2 and 4; for eta = 3 its quantile is rounded, and misses a unit that lies on it).

    Source: Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht, Talwalkar 2020, A system for massively parallel
    hyperparameter tuning (MLSys), algorithm 2. `asha` is the variant that stops instead of pausing.
    """

    title: ClassVar[str] = "ASHA by promotion"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = False

    reduction_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    resource: Resource = EPOCHS
    grace_period: FirstRung | None = None
    per_trial: bool = False
    seeds: RungSeeds | None = None

    def start(
        self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1
    ) -> AshaPromotionRun:
        """A running scheduler. Raises InputError if no rung could stop anything."""
        count = len(units) + later
        eta, first, resource = self.reduction_factor, self.first, self.resource
        check_halving("asha_promotion", eta, first, max_epochs, count, reports_per_epoch, resource)
        rungs = upward_rungs(first, eta, max_epochs, 0, reports_per_epoch, resource)
        return AshaPromotionRun(self, units, rungs, max_epochs, closed=not later)


class AshaPromotionRun(PromotionRun):
    """Every rung is open from the start."""

    def __init__(
        self, settings: AshaPromotion, units: Sequence[str], rungs: Sequence[Epochs], max_epochs: int, *, closed: bool
    ) -> None:
        self._settings = settings
        self._max_epochs = max_epochs
        super().__init__(rungs, settings.reduction_factor, units, closed=closed)

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """One bracket with expected counts."""
        epochs = tuple(rung.epoch for rung in self._rungs)
        return (expected_bracket(self._settings, self.size, epochs, self._max_epochs),)
