"""Rungs that lie at costs: a trial comes to one once it has used as much on the scheduler's budget axis."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from greenexp.errors import ReplayError
from greenexp.records.axes import AXES, EPOCHS, rung_name
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import NextRung, UnitVerdict
from greenexp.schedulers.brackets import ExpectedEpochs
from greenexp.schedulers.recorded import recorded_costs
from greenexp.schedulers.rungs import ROUNDING
from greenexp.schedulers.seed_groups import SeedGroups, waits_for
from greenexp.units import format_quantity


def resource_of(settings: Any) -> str:
    """The budget axis that a scheduler's rungs lie on; of one without such a field, epochs."""
    return str(getattr(settings, "resource", EPOCHS))


def comes_to(costs: Iterable[float], level: float) -> bool:
    """Whether reports of these costs add up to the level, but for the rounding of sums; not if one is NaN."""
    return math.fsum(costs) >= level * (1 - ROUNDING)


class CostGroups(SeedGroups):
    """A running scheduler over trials whose rungs are levels of `resource` (`train_flops`, `energy_j`, `wall_s`).

    A trial comes to a level at its first report at which the costs of its reports so far add up to at least the level
    (less a relative 1e-9, as sums are rounded); what counts there is the score of that report. The costs are those of
    the first report after each number of epochs: what an attempt after a crash repeats adds nothing. A report may pass
    several levels, which judge it one after the other. A configuration comes to a level when all its seeds that count
    there have. One that has ended counts at all levels beyond it with its last value, as under `SeedGroups`: what it
    reached, it reached at no higher cost.

    A trial of which a report was not measured is not judged any more: its configuration counts at the level it would
    have come to next as one that failed, so that nobody waits for it, and all its seeds train to their ends.

    What is recorded: every report, with its cost; else as `SeedGroups`.
    """

    def _begin(self) -> None:
        self._axis = resource_of(self._settings)
        self._costs: dict[str, list[float]] = {}  # of each report
        self._unmeasured: set[str] = set()
        self._latest: dict[str, tuple[Epochs, float]] = {}  # the latest report: epochs trained, value
        super()._begin()

    @property
    def needs_pausing(self) -> bool:
        """See `SeedGroups.needs_pausing`."""
        return self._units.pauses or any(len(members) > 1 for members in self._members.values())

    @property
    def expected_epochs(self) -> ExpectedEpochs:
        """NaN: how many epochs a trial trains until a level depends on what they cost."""
        return dataclasses.replace(super().expected_epochs, epochs=math.nan, exact=False)

    def decide(
        self,
        trial: str,
        resource: Epochs,
        value: float,
        costs: Mapping[str, float | None] | None = None,
        objectives: ObjectiveCosts = NO_COSTS,  # noqa: ARG002 - no scheduler compares several at levels of cost
    ) -> Decision:
        """The verdict on `trial` after `resource` epochs: see `base.Scheduler.decide`."""
        unit, _ = self._where(trial)
        if (trial, resource) in self._taken:
            return Decision(self._again(trial, resource, value))
        stopped = self._stopped.get(unit)
        if stopped is not None and self._ladder.holds:
            return Decision(Verdict(trial, Action.STOP))
        self._refuse_early(trial)
        if trial in self._waiting.get(unit, {}):
            raise ReplayError(f"{trial} reports epoch {resource} although it was paused")
        self._note(trial, resource, value, (costs or {}).get(self._axis))
        if stopped is not None:
            verdicts = self._stop(trial, stopped)
        elif trial in self._unmeasured:
            verdicts = self._leave_unjudged(unit, trial, resource, value)
        else:
            verdicts = self._come(unit)
        own = [verdict for verdict in verdicts if verdict.trial == trial] or [Verdict(trial, Action.GO_ON)]
        self._take(trial, resource, value, own[-1])
        others = tuple(verdict for verdict in verdicts if verdict.trial != trial)
        return Decision(own[-1], others, tuple(own[:-1]))

    def _note(self, trial: str, epoch: Epochs, value: float, cost: float | None) -> None:
        self._record("report", trial, epoch, value, *recorded_costs(self._axis, cost))
        self._latest[trial] = (epoch, value)
        self._costs.setdefault(trial, []).append(math.nan if cost is None else cost)
        if cost is None or math.isnan(cost):
            self._unmeasured.add(trial)

    def _used(self, trial: str) -> float:
        """What the trial has used so far; NaN if that was not measured."""
        return math.fsum(self._costs.get(trial, ()))

    def _has_come(self, trial: str, level: float) -> bool:
        """Whether the trial has used as much as the level."""
        return comes_to(self._costs.get(trial, ()), level)

    def _stop(self, trial: str, stopped: UnitVerdict) -> tuple[Verdict, ...]:
        """The verdict on a trial whose configuration was stopped before it came to that level, once it has come."""
        if trial not in self._unmeasured and not self._has_come(trial, stopped.rung):
            return ()
        seeds = len(self._members[self._place[trial][0]])
        noise = self._noise_at(stopped, seeds)
        return (self._for_trial(trial, self._latest[trial][0], stopped, stopped.reason, seeds, noise),)

    def _leave_unjudged(self, unit: str, trial: str, epoch: Epochs, value: float) -> tuple[Verdict, ...]:
        """Take the unit out of the comparison; its seeds that wait, and this trial, go on."""
        if self._units.next_rung(unit) is None:
            return ()
        self._waiting.setdefault(unit, {})[trial] = value
        self._arrived.add(unit)
        reason = f"not judged: {self._axis} of {trial} was not measured at epoch {epoch:g}"
        fallen = self._units.arrive(unit, None, reason)
        return self._pass_on([dataclasses.replace(v, go_on=True) if v.unit == unit else v for v in fallen])

    def _arrival(self, unit: str) -> tuple[tuple[Verdict, ...], Sequence[UnitVerdict]]:
        """Bring the unit's trials that have used enough to its level, and the unit if it is complete then."""
        place = self._units.next_rung(unit)
        if place is None or unit in self._arrived:
            return (), ()
        reported = self._waiting.setdefault(unit, {})
        counting = self._members[unit][: self._turn(unit)]
        come = [
            trial
            for trial in counting
            if trial not in reported and trial not in self._ended and self._has_come(trial, place.epoch)
        ]
        reported.update((trial, self._latest[trial][1]) for trial in come)
        without = next((trial for trial in come if not math.isfinite(reported[trial])), None)
        if without is None:
            _, fallen = super()._arrival(unit)
        else:
            self._arrived.add(unit)
            epoch, value = self._latest[without]
            fallen = self._units.arrive(unit, None, f"{without} scored {value} at epoch {epoch}")
        if self._units.next_rung(unit) != place:
            return (), fallen
        missing, turn = self._missing(unit), self._turn(unit)
        return tuple(self._pause(trial, place, missing, turn) for trial in come), fallen

    def _pause(self, trial: str, place: NextRung, missing: int, turn: int) -> Verdict:
        return Verdict(
            trial,
            Action.PAUSE,
            rung=self._latest[trial][0],
            bracket=place.bracket,
            reason=f"{self._at(trial, place.epoch)}: {waits_for(missing, turn, place)}",
            level=place.epoch,
        )

    def _for_trial(
        self, trial: str, epoch: Epochs, verdict: UnitVerdict, reason: str, seeds: int, noise: float | None
    ) -> Verdict:
        told = f"{self._at(trial, verdict.rung)}: {reason}"
        return dataclasses.replace(
            super()._for_trial(trial, epoch, verdict, told, seeds, noise), level=float(verdict.rung)
        )

    def _at(self, trial: str, level: float) -> str:
        """`at 20 TFLOP train_flops (used 21 TFLOP)`."""
        used = self._used(trial)
        so_far = "" if math.isnan(used) else f" (used {format_quantity(used, AXES[self._axis].unit)})"
        return f"at {rung_name(self._axis, level)}{so_far}"

    def _judged_after(self, trial: str, rung: Epochs) -> Epochs:  # noqa: ARG002 - a level says nothing of epochs
        """The trial's own epochs; 0 of one that has not reported."""
        return self._latest[trial][0] if trial in self._latest else 0
