"""Seed racing: successive halving whose resource is the number of seeds of a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.schedulers.base import cannot_act
from greenexp.schedulers.rungs import too_few, upward_rungs
from greenexp.schedulers.synchronous import SynchronousBracket, SynchronousRun


@dataclass(frozen=True, slots=True)
class SeedRacing:
    """Configurations race over their seeds: only those that do well on the first seeds are given more.

    reduction_factor: eta, the best floor(n / eta) of the n configurations at a rung go on, at least one
    first_seeds: s, seeds of every configuration before the first rung; rungs lie at s x eta^k seeds, below the number
        of seeds of a configuration (fractions rounded up)

    Every seed that begins trains to its end. All configurations wait at a rung for each other and are ranked by the
    mean over the seeds they have done so far, the same seeds for all of them. The seeds still to come of a
    configuration that was dropped never begin, so its mean is one over fewer seeds. Ties and failed seeds: see sha.
    Needs at least two seeds (seeds.initialisation, seeds.order). Successive halving bounds the number of seeds
    beforehand; it tests nothing, and the configuration it leaves has a mean that is flattered by having been chosen
    for it. To save epochs as well as seeds: `seeds` of sha, asha and hyperband.

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
        """The race: what is called epochs is seeds done, `max_epochs` in all. InputError if nobody could be stopped."""
        if self.first_seeds >= max_epochs:
            raise cannot_act(
                "seed_racing",
                f"its first rung, after {self.first_seeds} seeds, is not below the number of seeds, {max_epochs}",
                "raise seeds.initialisation" + (" or lower first_seeds" if self.first_seeds > 1 else ""),
            )
        if len(units) < self.reduction_factor:
            raise cannot_act("seed_racing", *too_few(len(units), self.reduction_factor))
        rungs = upward_rungs(self.first_seeds, self.reduction_factor, max_epochs)
        bracket = SynchronousBracket(0, units, rungs, self.reduction_factor)
        return SynchronousRun("seed_racing", [(units, bracket)], max_epochs)
