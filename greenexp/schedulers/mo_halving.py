"""Asynchronous successive halving over several objectives, the stopping variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from greenexp.records.progress import Epochs
from greenexp.schedulers.base import GracePeriod, NextRung, UnitVerdict
from greenexp.schedulers.brackets import Bracket
from greenexp.schedulers.expectation import expected_bracket
from greenexp.schedulers.fronts import Fronts
from greenexp.schedulers.rungs import check_halving, places, upward_rungs
from greenexp.schedulers.seed_ladder import RungSeeds


@dataclass(frozen=True, slots=True)
class MoHalving:
    """Asynchronous successive halving over several objectives: at a rung, the first 1/eta in an order by fronts go on.

    reduction_factor: eta; a unit goes on if it is among the first floor(m / eta), and at least the first, of the m
        units that have come to the rung, itself included. It is judged when it comes: nobody waits for others
    grace_period: r, epochs before the first rung; rungs lie at r x eta^k < training.epochs, each at the first report
        at or after it
    per_trial: every trial is compared for itself, not the mean over the seeds of a configuration
    seeds: how many seeds of a configuration count at the first rung, the second, ...: see asha

    The order: first the units that no other dominates, then those that only these dominate, and so on. Inside a front,
    first the unit with the best score, then always the one that is farthest from the nearest of those before it (an
    epsilon-net), so that the units that go on cover the front. Objectives are those of the sweep (`objectives`, at
    least two), as they are at the rung: the score, the inference FLOPs of the best epoch so far, and costs up to there;
    means over seeds. A distance scales each objective by its range over the front; the authors' code (Syne Tune) takes
    values as they are, and FLOPs would then be all that counts. Equal units: the one that came earlier is first. That
    code also lets one more go on, place floor(m / eta) + 1.

    A unit of which an objective was not measured cannot be compared: it is stopped at the rung, with the reason, as is
    one with a failed seed. Both count among the m and rank last. Who goes on depends on the order of arrival. The
    plan's counts are expectations if the order at one rung persists at the next; if it changes, fewer go on later.

    Source: Schmucker, Donini, Zafar, Salinas, Archambeau 2021, Multi-objective asynchronous successive halving
    (arXiv:2106.12639), with the epsilon-net of Salinas, Perrone, Cruchant, Archambeau 2021, A multi-objective
    perspective on jointly tuning hardware and hyperparameters.
    """

    title: ClassVar[str] = "Multi-objective ASHA"
    stops: ClassVar[bool] = True
    equal_epochs: ClassVar[bool] = True
    needs_seeds: ClassVar[bool] = False
    needs_size: ClassVar[bool] = False
    several_objectives: ClassVar[bool] = True
    compares_reports: ClassVar[bool] = True

    reduction_factor: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3.0
    grace_period: GracePeriod = 1
    per_trial: bool = False
    seeds: RungSeeds | None = None

    def start(
        self, units: Sequence[str], *, max_epochs: int, later: float = 0, reports_per_epoch: int = 1
    ) -> MoHalvingRun:
        """A running scheduler. Raises InputError if no rung could stop anything."""
        count = len(units) + later
        check_halving("mo_halving", self.reduction_factor, self.grace_period, max_epochs, count, reports_per_epoch)
        rungs = upward_rungs(self.grace_period, self.reduction_factor, max_epochs, reports_per_epoch=reports_per_epoch)
        run = MoHalvingRun(self, rungs, max_epochs)
        for unit in units:
            run.enter(unit)
        return run


class MoHalvingRun:
    """What has come to every rung so far, and the rung every unit comes to next."""

    pauses = False

    def __init__(self, settings: MoHalving, rungs: Sequence[Epochs], max_epochs: int) -> None:
        self._settings = settings
        self._rungs = tuple(rungs)
        self._max_epochs = max_epochs
        self._fronts = [Fronts() for _ in rungs]
        self._came = [0] * len(rungs)
        self._level: dict[str, int] = {}

    def enter(self, unit: str) -> None:
        """A unit more, before its first rung."""
        self._level[unit] = 0

    def next_rung(self, unit: str) -> NextRung | None:
        """The next rung of the unit."""
        level = self._level[unit]
        return NextRung(self._rungs[level], 0) if level < len(self._rungs) else None

    def arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[UnitVerdict, ...]:
        """The verdict on `unit`, at once; with a value it has the score as its only objective."""
        if value is not None:
            return self.arrive_with(unit, value, ())
        level = self._level[unit]
        self._came[level] += 1
        self._level[unit] = len(self._rungs)
        return (UnitVerdict(unit, False, self._rungs[level], 0, None, None, reason),)

    def arrive_with(self, unit: str, value: float, costs: Sequence[float]) -> tuple[UnitVerdict, ...]:
        """The verdict on `unit`, at once, by its place among all that came."""
        level = self._level[unit]
        self._came[level] += 1
        came = self._came[level]
        found = self._fronts[level].add((value, *(-cost for cost in costs)))
        first = places(came, self._settings.reduction_factor)
        go_on = found.place <= first
        self._level[unit] = level + 1 if go_on else len(self._rungs)
        shares = f"of {came} that came so far, of which the first {first} go on"
        reason = f"front {found.front}, place {found.place} {shares}"
        verdict = UnitVerdict(
            unit, go_on, self._rungs[level], 0, value, None, reason, front=found.front, place=found.place
        )
        return (verdict,)

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """One bracket with expected counts."""
        return (expected_bracket(self._settings, len(self._level), self._rungs, self._max_epochs),)
