"""All but the best few end after the first rung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.schedulers.base import GracePeriod, cannot_act
from greenexp.schedulers.rungs import check_first_report, every_report
from greenexp.schedulers.synchronous import SynchronousBracket, SynchronousRun


@dataclass(frozen=True, slots=True)
class OneEpoch:
    """One rung, after the first epoch: the best few train on to the end, all others are stopped there.

    keep: k, how many units go on
    grace_period: r, epochs before the rung
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration

    All units wait at the rung for each other. A unit with a failed seed ranks last and never goes on; fewer than k go
    on where fewer have a value. Equal values: the unit earlier in the plan goes on. A baseline for schedulers with
    several rungs, which it often equals: the order after one epoch is then nearly that at the end.

    Source: Egele, Guyon, Sun, Balaprakash 2023, Is one epoch all you need for multi-fidelity hyperparameter
    optimization? (ESANN), arXiv:2307.15422.
    """

    title: ClassVar[str] = "One epoch"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = True

    keep: Annotated[int, Field(ge=1)] = 3
    grace_period: GracePeriod = 1
    per_trial: bool = False

    def start(
        self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1
    ) -> SynchronousRun:
        """All units in one bracket. Raises InputError if the rung could stop nothing."""
        size = len(units) + int(later)
        check_first_report("one_epoch", self.grace_period, reports_per_epoch)
        if self.grace_period >= max_epochs:
            raise cannot_act(
                "one_epoch",
                f"its rung, grace_period {self.grace_period:g}, is not below the last epoch, {max_epochs}",
                f"raise training.epochs above {self.grace_period:g}",
            )
        if size <= self.keep:
            raise cannot_act(
                "one_epoch",
                f"keep {self.keep} is not below the number to compare, {size}",
                "lower keep, or compare more",
            )
        rung = every_report(self.grace_period, max_epochs, reports_per_epoch)[:1]
        bracket = SynchronousBracket(0, units, rung, 1.0, size=size, keep=self.keep)
        return SynchronousRun("one_epoch", [(units, bracket)], max_epochs)
