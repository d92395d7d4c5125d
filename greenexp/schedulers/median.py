"""The median stopping rule."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.records.axes import EPOCHS
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import NextRung, UnitVerdict, cannot_act
from greenexp.schedulers.brackets import Bracket
from greenexp.schedulers.expectation import expected_bracket
from greenexp.schedulers.resource import FirstRung, Resource, RungsOnAnAxis, check_axis, multiples
from greenexp.schedulers.rungs import check_first_report, every_report


@dataclass(frozen=True, slots=True)
class Median(RungsOnAnAxis):
    """The median stopping rule: a unit is stopped once its best value is below the median of the others' averages.

    resource: what is counted before a comparison: epochs, or what a trial has used: train_flops, energy_j or wall_s
    grace_period: epochs before the first comparison (null: 1); there is one at every later report but the last. On
        another resource a quantity of it, and there is a comparison at each of its multiples up to the hundredth: at
        the first report that has used as much
    min_units: how many other units must have come to an epoch before anything is stopped there
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration

    After epoch t a unit is stopped if its best value so far is strictly below the median, over the other units that
    have come to epoch t, of the mean of each one's values after the epochs from grace_period to t. Units that were
    stopped or failed count at the epochs that they came to. A value is the best dev value so far, as everywhere here,
    so the averages are somewhat higher than those of the values of single epochs.

    Who goes on depends on the order of arrival. The seeds of a configuration wait for each other after every epoch.
    The plan's counts are expectations if the order of the units never changes.

    Source: Golovin, Solnik, Moitra, Kochanski, Karro, Sculley 2017, Google Vizier: a service for black-box optimization
    (KDD), section 3.2.1, which averages over *completed* trials only; here, as in Ray Tune's `MedianStoppingRule`,
    over all that have come as far. Ray may also pause a trial while too few are known; here it trains on.
    """

    title: ClassVar[str] = "Median rule"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = False
    compares_reports: ClassVar[bool] = True

    resource: Resource = EPOCHS
    grace_period: FirstRung | None = None
    min_units: Annotated[int, Field(ge=1)] = 3
    per_trial: bool = False

    def start(
        self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1
    ) -> MedianRun:
        """A running scheduler. Raises InputError if nothing could be stopped."""
        places = self._places(max_epochs, reports_per_epoch)
        if len(units) + later <= self.min_units:
            raise cannot_act(
                "median",
                f"it compares a unit with at least {self.min_units} others (min_units), and there are "
                f"{len(units) + later} in all",
                f"compare at least {self.min_units + 1}",
            )
        return MedianRun(self, units, places, max_epochs)

    def _places(self, max_epochs: int, reports_per_epoch: int) -> tuple[Epochs, ...]:
        """Where units are compared."""
        if self.resource != EPOCHS:
            check_axis("median", max_epochs * reports_per_epoch)
            return multiples(self.first)
        check_first_report("median", self.first, reports_per_epoch)
        if self.first >= max_epochs:
            raise cannot_act(
                "median",
                f"its first comparison, grace_period {self.first:g}, is not below the last epoch, {max_epochs}",
                f"raise training.epochs above {self.first:g}",
            )
        return every_report(self.first, max_epochs, reports_per_epoch)


class MedianRun:
    """The values of every unit after every epoch, and the averages of all that came to it."""

    pauses = False

    def __init__(self, settings: Median, units: Sequence[str], epochs: Sequence[Epochs], max_epochs: int) -> None:
        self._settings = settings
        self._max_epochs = max_epochs
        self._epochs = tuple(epochs)
        self._averages: list[list[float]] = [[] for _ in self._epochs]  # sorted
        self._values: dict[str, list[float]] = {unit: [] for unit in units}
        self._stopped: set[str] = set()

    def enter(self, unit: str) -> None:
        """One more unit."""
        self._values[unit] = []

    def next_rung(self, unit: str) -> NextRung | None:
        """The epoch after the last that the unit came to."""
        come = len(self._values[unit])
        return None if unit in self._stopped or come == len(self._epochs) else NextRung(self._epochs[come], 0)

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """The verdict on `unit`, at once."""
        values = self._values[unit]
        place = len(values)
        epoch = self._epochs[place]
        if value is None:
            self._stopped.add(unit)
            return (UnitVerdict(unit, False, epoch, 0, None, None, reason),)
        values.append(value)
        best, averages = max(values), self._averages[place]
        cutoff = median_of(averages) if len(averages) >= self._settings.min_units else None
        reason = f"{len(averages)} others came here before it"
        # Rounding must not lift the average of equal values above them.
        insort(averages, min(math.fsum(values) / len(values), best))
        if cutoff is None or best >= cutoff:
            return (UnitVerdict(unit, True, epoch, 0, best, cutoff, reason),)
        self._stopped.add(unit)
        return (UnitVerdict(unit, False, epoch, 0, best, cutoff, reason),)

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """One bracket with expected counts."""
        return (expected_bracket(self._settings, len(self._values), self._epochs, self._max_epochs),)


def median_of(ordered: Sequence[float]) -> float:
    """The median of non-empty ascending values."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
