"""Hyperband."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.schedulers.base import GracePeriod, cannot_act
from greenexp.schedulers.rungs import ROUNDING, check_halving, downward_rungs, most_halvings
from greenexp.schedulers.seed_ladder import RungSeeds
from greenexp.schedulers.synchronous import SynchronousBracket, SynchronousRun


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Hyperband: synchronous halving brackets that trade many short trials against few long ones.

    reduction_factor: eta, the best floor(n / eta) of the n units at a rung go on, at least one
    grace_period: r, the fewest epochs before a first rung
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration
    seeds: how many seeds of a configuration count at the first rung, the second, ...; the last number, which is that of
        all its seeds, counts from then to the end. Seeds whose turn has not come are not started. null: all at every
        rung; brackets that begin at a later rung begin with the seeds of that rung

    With R = training.epochs and s_max = floor(log_eta(R / r)), bracket s = s_max, ..., 0 takes
    ceil((s_max + 1) / (s + 1) x eta^s) units and has s rungs, at R x eta^-s, ..., R x eta^-1 epochs (at the nearest
    report). The brackets are filled in plan order, the most exploring first, and begin again at s_max until all
    units are placed; the last one runs with what it has. Brackets do not wait for each other. Units are expected in
    random order, as random search draws them: along a grid the brackets would get different regions.

    Ties and failed seeds: see sha. Source: Li, Jamieson, DeSalvo, Rostamizadeh, Talwalkar 2018, Hyperband (JMLR 18,
    185), algorithm 1; first at ICLR 2017. They write n_i = floor(n x eta^-i); ours halves what really entered, which
    differs only for a fractional eta or a partly filled bracket. Ray Tune's `HyperBandScheduler` takes ceil(n / eta)
    where the paper and ours take floor(n / eta), so one trial more goes on wherever eta does not divide n.
    """

    title: ClassVar[str] = "Hyperband"
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
        """Units placed in brackets. Raises InputError if no bracket could stop anything."""
        count = len(units) + int(later)
        check_halving("hyperband", self.reduction_factor, self.grace_period, max_epochs, count, reports_per_epoch)
        most = most_halvings(self.grace_period, self.reduction_factor, max_epochs)
        if most == 0:
            need = math.ceil(self.grace_period * self.reduction_factor)
            raise cannot_act(
                "hyperband",
                f"training.epochs {max_epochs} is below grace_period x reduction_factor = {need}, which leaves only "
                "the bracket without rungs",
                f"train for at least {need} epochs",
            )
        brackets = list(self._brackets(units, count, most, max_epochs, reports_per_epoch))
        return SynchronousRun("hyperband", brackets, max_epochs)

    def _brackets(
        self, units: Sequence[str], count: int, most: int, max_epochs: int, reports_per_epoch: int
    ) -> Iterator[tuple[Sequence[str], SynchronousBracket]]:
        """(units, bracket) from s = s_max downwards and round again, until all `count` units have a place."""
        number = placed = 0
        while placed < count:
            halvings = most - number % (most + 1)
            size = math.ceil((most + 1) / (halvings + 1) * self.reduction_factor**halvings - ROUNDING)
            size = min(size, count - placed)
            members = units[placed : placed + size]
            rungs = downward_rungs(halvings, self.reduction_factor, max_epochs, reports_per_epoch)
            yield members, SynchronousBracket(number, members, rungs, self.reduction_factor, size=size)
            number, placed = number + 1, placed + size
