"""The bracket plan as plain data, and the epochs that follow from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs


@dataclass(frozen=True, slots=True)
class Rung:
    """After `epoch` epochs, `going_on` of the `entering` units go on (whole numbers unless it is an expectation).

    epoch: where the bracket's resource is another one, how much of that
    seeds: how many seeds of each count there; None: all
    """

    epoch: Epochs
    entering: float
    going_on: float
    seeds: int | None = None


class Stretch(NamedTuple):
    """`trials` trials, whole or expected, train from after epoch `after` to epoch `until`, or on another resource."""

    trials: float
    after: Epochs
    until: Epochs


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket: `units` start, are judged at each rung, and those left train for `max_epochs`.

    `exact` is False where the counts are expectations (asha: over random orders of arrival, if the order of values at
    one rung persists at the next). Without rungs all units run to the end.
    seeds: how many seeds those left have in the end, where seeds are held back; None: all seeds train from the start
    resource: the budget axis that the rungs lie on
    """

    number: int
    units: int
    rungs: tuple[Rung, ...]
    max_epochs: int
    exact: bool = True
    seeds: int | None = None
    resource: str = EPOCHS

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """What is trained: of every unit one seed, or where seeds are held back, those whose turn has come.

        Seeds that join at a rung train from their start to the next rung, those before them from the last one.
        """
        return tuple(stretch for stretch in self._stretches() if stretch.trials and stretch.until > stretch.after)

    def _stretches(self) -> Iterator[Stretch]:
        before: Epochs = 0
        known, running = 0, float(self.units)
        ends = [(rung.epoch, rung.entering, rung.seeds) for rung in self.rungs]
        left = self.rungs[-1].going_on if self.rungs else running
        last = self.max_epochs if self.resource == EPOCHS else math.inf
        for epoch, entering, seeds in (*ends, (last, left, self.seeds)):
            count = seeds or 1
            yield Stretch(entering * known, before, epoch)
            yield Stretch(entering * (count - known), 0, epoch)
            before, known = epoch, count

    @property
    def epochs(self) -> float:
        """Training epochs of all `stretches`; infinite where the rungs do not count epochs."""
        return sum(stretch.trials * (stretch.until - stretch.after) for stretch in self.stretches)

    @property
    def begun(self) -> float:
        """How many trials of the `stretches` ever begin."""
        return sum(stretch.trials for stretch in self.stretches if not stretch.after)

    def with_seeds(self, counts: Iterable[int], total: int, at: int | None = None) -> Bracket:
        """The same with the seeds that count at each rung and, `total`, in the end. at: the epoch of every rung."""
        rungs = tuple(
            replace(rung, seeds=count, epoch=rung.epoch if at is None else at)
            for rung, count in zip(self.rungs, counts, strict=True)
        )
        return replace(self, rungs=rungs, seeds=total, max_epochs=self.max_epochs if at is None else at)


@dataclass(frozen=True, slots=True)
class ExpectedEpochs:
    """Training epochs summed over all trials, if no trial fails; `full` is what they would be without a scheduler.

    `exact` is False for an expectation over the order in which good and bad units arrive, if the order at one rung
    persists at the next (asha), or where configurations with different numbers of seeds compete.
    """

    epochs: float
    full: int
    exact: bool
