"""Successive halving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.schedulers.base import GracePeriod
from greenexp.schedulers.rungs import check_halving, upward_rungs
from greenexp.schedulers.seed_ladder import RungSeeds
from greenexp.schedulers.synchronous import SynchronousBracket, SynchronousRun


@dataclass(frozen=True, slots=True)
class Sha:
    """Synchronous successive halving: one bracket, all units wait at every rung.

    reduction_factor: eta, the best floor(n / eta) of the n units at a rung go on, at least one
    grace_period: r, epochs before the first rung; rungs lie at r x eta^k < training.epochs, each at the
        first report at or after it
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration
    seeds: how many seeds of a configuration count at the first rung, the second, ...; the last number, which is that of
        all its seeds, counts from then to the end. Seeds whose turn has not come are not started. null: all at every
        rung

    n counts everything that entered the rung. A unit with a failed seed ranks below every number and never goes on;
    its place is not given away twice, so the number going on is that of the plan as long as enough units survive.
    Equal values: the unit earlier in the plan goes on. Only ranks matter: any increasing transform of the metric
    gives the same decisions. Paused trials go on from their checkpoint, so epochs are not paid for twice.

    Source: Jamieson and Talwalkar 2016, Non-stochastic best arm identification and hyperparameter optimization
    (AISTATS), figure 3; with r, eta and R as in algorithm 1 of Li et al. 2020 (early-stopping rate 0).
    """

    title: ClassVar[str] = "SHA"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = True

    reduction_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    grace_period: GracePeriod = 1
    per_trial: bool = False
    seeds: RungSeeds | None = None

    def start(
        self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1
    ) -> SynchronousRun:
        """All units in one bracket. Raises InputError if no rung could stop anything."""
        size = len(units) + int(later)
        check_halving("sha", self.reduction_factor, self.grace_period, max_epochs, size, reports_per_epoch)
        rungs = upward_rungs(self.grace_period, self.reduction_factor, max_epochs, reports_per_epoch=reports_per_epoch)
        bracket = SynchronousBracket(0, units, rungs, self.reduction_factor, size=size)
        return SynchronousRun("sha", [(units, bracket)], max_epochs)
