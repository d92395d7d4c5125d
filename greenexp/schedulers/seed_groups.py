"""From units to trials: all seeds of a configuration are judged together, by their mean."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from typing import Any

from greenexp.errors import InputError, ReplayError
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import Mode, NextRung, SchedulerSettings, UnitVerdict
from greenexp.schedulers.brackets import Bracket, ExpectedEpochs
from greenexp.schedulers.recorded import RecordedScheduler


class SeedGroups(RecordedScheduler):
    """A running scheduler over trials (`base.Scheduler`) made of a scheduler over units.

    A trial that reaches a rung pauses until all seeds of its configuration have reported there; then the unit scheduler
    sees their mean, and its verdict holds for all of them. A configuration of which one seed failed, or scored NaN or
    infinity at a rung, has no mean: it ranks last at the rung it stands before and all its seeds are stopped there.

    A trial that ends by itself before its last epoch (`training.patience`) keeps its value: that is what it counts with
    at every rung it has not come to. A configuration all of whose seeds have ended so comes to its rungs at once, and
    holds a place there like one that trains on.

    What is recorded: reports at rungs, ends, failures, late entries.
    """

    def __init__(
        self,
        name: str,
        settings: SchedulerSettings,
        groups: Mapping[str, Sequence[str]],
        *,
        max_epochs: int,
        mode: Mode,
        later: float = 0,
        reports_per_epoch: int = 1,
    ) -> None:
        self._settings = settings
        self._later = later
        self._reports_per_epoch = reports_per_epoch
        fields = {"name": name, **dataclasses.asdict(settings)}
        super().__init__(fields, groups, max_epochs=max_epochs, mode=mode)

    def _begin(self) -> None:
        """The state before anything was asked."""
        self._members: dict[str, tuple[str, ...]] = {}
        self._unit_of: dict[str, str] = {}
        for configuration, trials in self._groups.items():
            for unit, members in self._split(configuration, trials):
                self._add(unit, members)
        units = tuple(self._members)
        later = self._later * (len(units) // len(self._groups))
        options: dict[str, Any] = {"later": later} if later else {}
        if "reports_per_epoch" in signature(self._settings.start).parameters:  # else its rungs are at whole epochs
            options["reports_per_epoch"] = self._reports_per_epoch
        self._units = self._settings.start(units, max_epochs=self._max_epochs, **options)
        self._waiting: dict[str, dict[str, float]] = {}  # unit -> its trials at the current rung and their values
        self._ended: dict[str, float] = {}  # trial that ended by itself -> its value
        self._arrived: set[str] = set()  # units that wait at a rung for others
        self._stopped: dict[str, UnitVerdict] = {}
        self._failed: set[str] = set()

    @property
    def needs_pausing(self) -> bool:
        """Whether trials wait at rungs, for other units or for the other seeds of their own."""
        has_rungs = any(bracket.rungs for bracket in self._units.bracket_plan())
        return self._units.waits or (has_rungs and any(len(members) > 1 for members in self._members.values()))

    @property
    def expected_epochs(self) -> ExpectedEpochs:
        """Training epochs of all trials, if none fails."""
        brackets = self._units.bracket_plan()
        seeds = [len(members) for members in self._members.values()]
        alike = min(seeds) == max(seeds)
        return ExpectedEpochs(
            epochs=sum(bracket.epochs for bracket in brackets) * sum(seeds) / len(seeds),
            full=sum(seeds) * self._max_epochs,
            exact=all(bracket.exact for bracket in brackets) and alike,
        )

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """Brackets and rungs, counted in configurations (in trials if `per_trial`)."""
        return self._units.bracket_plan()

    def decide(self, trial: str, resource: Epochs, value: float) -> Decision:
        """The verdict on `trial` after `resource` epochs: see `base.Scheduler.decide`."""
        unit = self._unit(trial)
        if (trial, resource) in self._taken:
            return Decision(self._again(trial, resource, value))
        if (stopped := self._stopped.get(unit)) is not None:
            if resource < stopped.rung:
                return _go_on(trial)
            self._record("report", trial, resource, value)
            return Decision(
                self._take(trial, resource, value, self._for_trial(trial, stopped.rung, stopped, stopped.reason))
            )
        place = self._units.next_rung(unit)
        if place is None or resource < place.epoch:
            return _go_on(trial)
        if resource > place.epoch:
            raise ReplayError(self._overrun(trial, resource, place))
        self._record("report", trial, resource, value)
        return self._at_rung(unit, trial, place, value)

    def withdraw(self, trial: str, reason: str) -> tuple[Verdict, ...]:
        """`trial` failed for good: its configuration ranks last at the rung it stands before, or comes to next.

        Returns the verdicts on the paused trials that this stops or releases. Nothing if no rung lies ahead, if the
        configuration is already stopped, or if it was said before.
        """
        unit = self._unit(trial)
        if trial in self._failed:
            return ()
        self._failed.add(trial)
        self._questions.append(["withdraw", trial, reason])
        if self._units.next_rung(unit) is None:
            return ()
        verdicts = self._arrive(unit, None, f"{trial} failed: {reason}")
        return tuple(verdict for verdict in verdicts if verdict.trial != trial)

    def finish(self, trial: str, resource: Epochs, value: float) -> tuple[Verdict, ...]:
        """`trial` ended by itself: see `base.Scheduler.finish`. Nothing if no rung lies ahead of its configuration."""
        unit = self._unit(trial)
        if trial in self._ended or self._units.next_rung(unit) is None:
            return ()
        self._record("finish", trial, resource, value)
        self._ended[trial] = value
        self._waiting.get(unit, {}).pop(trial, None)
        if not math.isfinite(value):
            return self._arrive(unit, None, f"{trial} ended after epoch {resource} with the score {value}")
        return self._come(unit)

    def enter(self, configuration: str, trials: Sequence[str]) -> None:
        """A configuration that was not there at the start (under fifo and `per_trial`, also more seeds of one)."""
        for unit, members in self._split(configuration, trials):
            self._units.enter(unit)
            self._add(unit, members)
        self._questions.append(["enter", configuration, list(trials)])

    def _at_rung(self, unit: str, trial: str, place: NextRung, value: float) -> Decision:
        """Record the report, judge the unit if it is complete (or has no mean), else wait."""
        reported = self._waiting.setdefault(unit, {})
        reported[trial] = value
        missing = self._missing(unit)
        self._take(trial, place.epoch, value, _pause(trial, place, missing, len(self._members[unit])))
        verdicts: tuple[Verdict, ...] = ()
        if not math.isfinite(value):
            reason = f"{trial} scored {value} at epoch {place.epoch}"
            verdicts = self._arrive(unit, None, reason)
        else:
            verdicts = self._come(unit)
        own = self._taken[trial, place.epoch][1]
        return Decision(own, tuple(verdict for verdict in verdicts if verdict.trial != trial))

    def _missing(self, unit: str) -> int:
        """How many of the unit's trials have neither come to its rung nor ended."""
        reported = self._waiting.get(unit, {})
        return sum(trial not in reported and trial not in self._ended for trial in self._members[unit])

    def _come(self, unit: str) -> tuple[Verdict, ...]:
        """Bring the unit to its rung if it is complete and not there yet."""
        place = self._units.next_rung(unit)
        if place is None or unit in self._arrived or self._missing(unit):
            return ()
        # Exactly summed, so that the order of arrival leaves no trace.
        members, reported = self._members[unit], self._waiting.get(unit, {})
        values = (reported[trial] if trial in reported else self._ended[trial] for trial in members)
        mean = math.fsum(values) / len(members)
        return self._arrive(unit, self._sign * mean)

    def _arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[Verdict, ...]:
        """The unit at its rung, then whoever goes on from there and has ended already at the rungs that follow."""
        self._arrived.add(unit)
        fallen = self._units.arrive(unit, value, reason)
        spread = list(self._spread(fallen))
        self._arrived.difference_update(verdict.unit for verdict in fallen)
        for verdict in fallen:
            if verdict.go_on:
                spread += self._come(verdict.unit)
        return tuple(spread)

    def _spread(self, verdicts: Iterable[UnitVerdict]) -> tuple[Verdict, ...]:
        """The verdicts on units as verdicts on those of their trials that wait; late seeds get theirs on arrival."""
        spread = []
        for verdict in verdicts:
            if not verdict.go_on:
                self._stopped[verdict.unit] = verdict
            reported = self._waiting.pop(verdict.unit, {})
            spread += [
                self._take(
                    trial, verdict.rung, reported[trial], self._for_trial(trial, verdict.rung, verdict, verdict.reason)
                )
                for trial in self._members[verdict.unit]
                if trial in reported
            ]
        return tuple(spread)

    def _overrun(self, trial: str, resource: Epochs, place: NextRung) -> str:
        if trial in self._waiting.get(self._unit_of[trial], {}):
            return f"{trial} reports epoch {resource} although it was paused at epoch {place.epoch}"
        return f"{trial} reports epoch {resource} but not epoch {place.epoch}, where it is judged; every report counts"

    def _unit(self, trial: str) -> str:
        if trial not in self._unit_of:
            raise ReplayError(f"the scheduler was not told of a trial '{trial}'")
        return self._unit_of[trial]

    def _split(self, configuration: str, trials: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
        """(unit, its trials), checked: the configuration, or each trial."""
        if not trials:
            raise InputError(f"{configuration} has no trials")
        if configuration in self._members and not self._settings.per_trial:
            raise InputError(f"{configuration} is already in the sweep: its seeds are compared together, none can join")
        for trial in trials:
            if trial in self._unit_of or list(trials).count(trial) > 1:
                raise InputError(f"trial {trial} appears twice")
        if self._settings.per_trial:
            return [(trial, (trial,)) for trial in trials]
        return [(configuration, tuple(trials))]

    def _add(self, unit: str, members: tuple[str, ...]) -> None:
        self._members[unit] = members
        self._unit_of.update(dict.fromkeys(members, unit))


def _go_on(trial: str) -> Decision:
    """Between rungs, where nothing is compared."""
    return Decision(Verdict(trial, Action.GO_ON))


def _pause(trial: str, place: NextRung, missing: int, seeds: int) -> Verdict:
    """Nothing was compared yet, so there is no value."""
    waits_for = (
        f"{missing} of the {seeds} seeds of its configuration" if missing else f"the rest of bracket {place.bracket}"
    )
    return Verdict(trial, Action.PAUSE, rung=place.epoch, bracket=place.bracket, reason=f"waits for {waits_for}")
