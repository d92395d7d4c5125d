"""Seed racing: successive halving whose resource is the number of seeds of a configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.errors import InputError
from greenexp.schedulers.base import Mode, cannot_act
from greenexp.schedulers.rungs import too_few, upward_rungs
from greenexp.schedulers.seed_race import SeedRace
from greenexp.schedulers.synchronous import SynchronousBracket, SynchronousRun


@dataclass(frozen=True, slots=True)
class SeedRacing:
    """Configurations race over their seeds: only those that do well on the first seeds are given more.

    reduction_factor: eta, the best floor(n / eta) of the n configurations at a rung go on, at least one
    first_seeds: s, seeds of every configuration before the first rung; rungs lie at s x eta^k seeds, below the number
        of seeds of a configuration (fractions rounded up)

    All configurations wait at a rung for each other and are ranked by the mean over the seeds they have done so far,
    the same seeds for all of them. The seeds that were done stay; those still to come of a configuration that was
    dropped are given up, so its mean is one over fewer seeds. Ties and failed seeds: see sha. Needs at least two seeds
    (seeds.initialisation, seeds.order) and two epochs. Successive halving bounds the number of seeds beforehand; it
    tests nothing, and the configuration it leaves has a mean that is flattered by having been chosen for it.

    A scheduler cannot keep a trial from starting, and is not asked about a trial's last epoch. So in a sweep every
    seed trains its first epoch and pauses there until it is its turn, or is stopped there; and a seed is done, for the
    race, when it reports its last epoch but one, by its best score until then. `greenexp simulate` races whole seeds.

    Source: Jamieson and Talwalkar 2016 (AISTATS), figure 3, with pulls of an arm = seeds of a configuration; dropping
    configurations as seeds or folds come in is racing (Maron and Moore 1994; F-Race, Birattari et al. 2002, by a test).
    """

    title: ClassVar[str] = "Seed racing"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = True
    needs_size: ClassVar[bool] = True

    reduction_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    first_seeds: Annotated[int, Field(ge=1)] = 1
    per_trial: ClassVar[bool] = False

    def start(self, units: Sequence[str], *, max_epochs: int) -> SynchronousRun:
        """The race itself: units are configurations, and what is called epochs is seeds done, `max_epochs` in all."""
        bracket = self._bracket(units, max_epochs)
        return SynchronousRun("seed_racing", [(units, bracket)], max_epochs)

    def over_trials(self, groups: Mapping[str, Sequence[str]], *, max_epochs: int, mode: Mode) -> SeedRace:
        """The race in a sweep. Raises InputError if nobody could be stopped or configurations differ in their seeds."""
        numbers = {len(trials) for trials in groups.values()}
        if len(numbers) > 1:
            raise InputError(
                f"scheduler seed_racing: all configurations must have the same number of seeds, got {sorted(numbers)}"
            )
        if max_epochs < 2:
            raise cannot_act(
                "seed_racing",
                f"a scheduler is not asked about a trial's last epoch, and training.epochs is {max_epochs}",
                "raise training.epochs to at least 2",
            )
        units, seeds = tuple(groups), numbers.pop()
        return SeedRace(
            partial(self._bracket, units, seeds),
            {"name": "seed_racing", **dataclasses.asdict(self)},
            groups,
            max_epochs=max_epochs,
            mode=mode,
        )

    def _bracket(self, units: Sequence[str], seeds: int) -> SynchronousBracket:
        if self.first_seeds >= seeds:
            raise cannot_act(
                "seed_racing",
                f"its first rung, after {self.first_seeds} seeds, is not below the number of seeds, {seeds}",
                "raise seeds.initialisation" + (" or lower first_seeds" if self.first_seeds > 1 else ""),
            )
        if len(units) < self.reduction_factor:
            raise cannot_act("seed_racing", *too_few(len(units), self.reduction_factor))
        return SynchronousBracket(
            0, units, upward_rungs(self.first_seeds, self.reduction_factor, seeds), self.reduction_factor
        )
