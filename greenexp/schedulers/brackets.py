"""The bracket plan as plain data, and the epochs that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from greenexp.records.progress import Epochs


@dataclass(frozen=True, slots=True)
class Rung:
    """After `epoch` epochs, `going_on` of the `entering` units go on (whole numbers unless it is an expectation)."""

    epoch: Epochs
    entering: float
    going_on: float


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket: `units` start, are judged at each rung, and those left train for `max_epochs`.

    `exact` is False where the counts are expectations (asha: over random orders of arrival, if the order of values at
    one rung persists at the next). Without rungs all units run to the end.
    """

    number: int
    units: int
    rungs: tuple[Rung, ...]
    max_epochs: int
    exact: bool = True

    @property
    def epochs(self) -> float:
        """Training epochs of one seed of every unit: sum of entering x (epochs since the rung before)."""
        total, running = 0.0, float(self.units)
        before: Epochs = 0
        for rung in self.rungs:
            total += rung.entering * (rung.epoch - before)
            before, running = rung.epoch, rung.going_on
        return total + running * (self.max_epochs - before)


@dataclass(frozen=True, slots=True)
class ExpectedEpochs:
    """Training epochs summed over all trials, if no trial fails; `full` is what they would be without a scheduler.

    `exact` is False for an expectation over the order in which good and bad units arrive, if the order at one rung
    persists at the next (asha), or where configurations with different numbers of seeds compete.
    """

    epochs: float
    full: int
    exact: bool
