"""From units to trials: the seeds of a configuration are judged together, by their mean."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from typing import Any

from greenexp.errors import FieldError, InputError, ReplayError
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import (
    ClosingScheduler,
    GrowsSeeds,
    Mode,
    NextRung,
    RanksObjectives,
    SchedulerSettings,
    UnitScheduler,
    UnitVerdict,
)
from greenexp.schedulers.brackets import Bracket, ExpectedEpochs
from greenexp.schedulers.objectives_at_rung import means_of_costs, what_is_missing
from greenexp.schedulers.recorded import RecordedScheduler, recorded_objectives
from greenexp.schedulers.rung_noise import RungNoise
from greenexp.schedulers.seed_ladder import AllSeeds, RacedSeeds, SeedLadder, growing_seeds, seeds_of_each


class SeedGroups(RecordedScheduler):
    """A running scheduler over trials (`base.Scheduler`) made of a scheduler over units.

    A rung is an epoch and a number of seeds (`seed_ladder`). A trial that reaches it pauses until all seeds that count
    there have reported; then the unit scheduler sees their mean, and its verdict holds for all of them. A configuration
    of which one seed failed, or scored NaN or infinity at a rung, has no mean: it ranks last at the rung it stands
    before and all its seeds are stopped there.

    Where rungs count different numbers of seeds, the turn of a seed comes when its configuration has climbed to the
    rung that counts it; it then trains from its start to that rung, where the seeds before it wait. When the
    configuration is stopped, all its seeds that have not ended are stopped at once, and those whose turn has not come
    are given up: they never begin. At a rung at the last epoch nobody pauses.

    A trial that ends by itself before its last epoch (`training.patience`) keeps its value: that is what it counts with
    at every rung it has not come to. A configuration all of whose seeds have ended so comes to its rungs at once, and
    holds a place there like one that trains on.

    What is recorded: reports at rungs, ends, failures, late entries, and that there will be no more of these.
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
        objectives: Sequence[str] = (),
    ) -> None:
        self._name = name
        self._objectives = tuple(objectives)
        self._settings = settings
        self._later = later
        self._reports_per_epoch = reports_per_epoch
        fields = {key: list(v) if isinstance(v, tuple) else v for key, v in dataclasses.asdict(settings).items()}
        super().__init__({"name": name, **fields}, groups, max_epochs=max_epochs, mode=mode)

    def _begin(self) -> None:
        """The state before anything was asked."""
        self._members: dict[str, tuple[str, ...]] = {}
        self._place: dict[str, tuple[str, int]] = {}  # trial -> its unit and its place among the unit's trials
        for configuration, trials in self._groups.items():
            for unit, members in self._split(configuration, trials):
                self._add(unit, members)
        self._units = self._new_units()
        self._ranking = self._units if isinstance(self._units, RanksObjectives) else None
        self._ladder = self._new_ladder()
        self._noise = RungNoise()
        self._waiting: dict[str, dict[str, float]] = {}  # unit -> its trials at the current rung and their values
        self._ended: dict[str, float] = {}  # trial that ended by itself -> its value
        self._told_objectives: dict[
            str, ObjectiveCosts
        ] = {}  # trial -> its costs at the current rung, or where it ended
        self._arrived: set[str] = set()  # units that wait at a rung for others
        self._stopped: dict[str, UnitVerdict] = {}
        self._failed: set[str] = set()

    def _new_units(self) -> UnitScheduler:
        units = tuple(self._members)
        later = self._later * (len(units) // len(self._groups))
        options: dict[str, Any] = {"later": later} if later else {}
        if "reports_per_epoch" in signature(self._settings.start).parameters:  # else its rungs are at whole epochs
            options["reports_per_epoch"] = self._reports_per_epoch
        counted = seeds_of_each(self._name, self._groups) if self._settings.needs_seeds else self._max_epochs
        return self._settings.start(units, max_epochs=counted, **options)

    def _new_ladder(self) -> SeedLadder:
        if self._settings.needs_seeds:
            return RacedSeeds(self._max_epochs, seeds_of_each(self._name, self._groups))
        seeds = self._settings.seeds if isinstance(self._settings, GrowsSeeds) else None
        if seeds is None:
            return AllSeeds()
        if self._settings.per_trial:
            raise FieldError("seeds", "per_trial compares every trial for itself, and then no rung counts seeds")
        return growing_seeds(seeds, seeds_of_each(self._name, self._groups), self._units.bracket_plan())

    @property
    def selects_before_ends(self) -> bool:
        """See `base.Scheduler.selects_before_ends`."""
        has_rungs = any(bracket.rungs for bracket in self.bracket_plan())
        return has_rungs and (self._units.pauses or self._ladder.holds)

    @property
    def needs_pausing(self) -> bool:
        """Whether trials wait at rungs, for other units or for the other seeds of their own."""
        has_rungs = any(rung.epoch < self._max_epochs for bracket in self.bracket_plan() for rung in bracket.rungs)
        return has_rungs and (self._units.pauses or any(len(members) > 1 for members in self._members.values()))

    @property
    def compares_objectives(self) -> bool:
        """See `base.Scheduler.compares_objectives`."""
        return self._ranking is not None

    @property
    def expected_epochs(self) -> ExpectedEpochs:
        """Training epochs of all trials, if none fails."""
        brackets = self.bracket_plan()
        seeds = [len(members) for members in self._members.values()]
        alike = min(seeds) == max(seeds)
        trials_per_unit = 1.0 if self._ladder.holds else sum(seeds) / len(seeds)
        return ExpectedEpochs(
            epochs=sum(bracket.epochs for bracket in brackets) * trials_per_unit,
            full=sum(seeds) * self._max_epochs,
            exact=all(bracket.exact for bracket in brackets) and alike,
        )

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """Brackets and rungs, counted in configurations (in trials if `per_trial`)."""
        return self._ladder.planned(self._units.bracket_plan())

    def may_begin(self, trial: str) -> bool:
        """Whether the turn of `trial` has come: see `base.Scheduler.may_begin`."""
        unit, number = self._where(trial)
        return not self._ladder.holds or (unit not in self._stopped and number < self._turn(unit))

    def decide(
        self,
        trial: str,
        resource: Epochs,
        value: float,
        costs: Mapping[str, float | None] | None = None,  # noqa: ARG002 - for rungs that lie at costs
        objectives: ObjectiveCosts = NO_COSTS,
    ) -> Decision:
        """The verdict on `trial` after `resource` epochs: see `base.Scheduler.decide`."""
        unit, _ = self._where(trial)
        if (trial, resource) in self._taken:
            return Decision(self._again(trial, resource, value))
        if (stopped := self._stopped.get(unit)) is not None:
            return self._after_stop(unit, stopped, trial, resource, value)
        self._refuse_early(trial)
        place = self._units.next_rung(unit)
        epoch = None if place is None else self._ladder.epoch(place.epoch)
        if place is None or epoch is None or resource < epoch:
            return _go_on(trial)
        if resource > epoch:
            raise ReplayError(self._overrun(trial, resource, epoch))
        self._record("report", trial, resource, value, *recorded_objectives(objectives))
        self._told_objectives[trial] = objectives
        return self._at_rung(unit, trial, place, value)

    def withdraw(self, trial: str, reason: str) -> tuple[Verdict, ...]:
        """`trial` failed for good: its configuration ranks last at the rung it stands before, or comes to next.

        Returns the verdicts on the other trials that this stops or releases. Nothing if no rung lies ahead, if the
        configuration is already stopped, or if it was said before.
        """
        unit, _ = self._where(trial)
        if trial in self._failed:
            return ()
        self._failed.add(trial)
        self._questions.append(["withdraw", trial, reason])
        if self._units.next_rung(unit) is None:
            return ()
        verdicts = self._arrive(unit, None, f"{trial} failed: {reason}")
        return tuple(verdict for verdict in verdicts if verdict.trial != trial)

    def finish(
        self, trial: str, resource: Epochs, value: float, objectives: ObjectiveCosts = NO_COSTS
    ) -> tuple[Verdict, ...]:
        """`trial` ended by itself: see `base.Scheduler.finish`. Nothing if no rung lies ahead of its configuration."""
        unit, _ = self._where(trial)
        if trial in self._ended or self._units.next_rung(unit) is None:
            return ()
        self._refuse_early(trial)
        self._record("finish", trial, resource, value, *recorded_objectives(objectives))
        self._ended[trial] = value
        self._told_objectives[trial] = objectives
        self._waiting.get(unit, {}).pop(trial, None)
        if not math.isfinite(value):
            return self._arrive(unit, None, f"{trial} ended after epoch {resource} with the score {value}")
        return self._come(unit)

    def enter(self, configuration: str, trials: Sequence[str]) -> None:
        """A configuration that was not there at the start (under fifo and `per_trial`, also more seeds of one)."""
        if self._ladder.holds:
            seeds_of_each(self._name, {**self._groups, configuration: trials})
        for unit, members in self._split(configuration, trials):
            self._units.enter(unit)
            self._add(unit, members)
        self._questions.append(["enter", configuration, list(trials)])

    def close(self) -> tuple[Verdict, ...]:
        """See `base.Scheduler.close`."""
        self._questions.append(["close", ""])
        return self._pass_on(self._units.close()) if isinstance(self._units, ClosingScheduler) else ()

    def _after_stop(self, unit: str, stopped: UnitVerdict, trial: str, resource: Epochs, value: float) -> Decision:
        """A report of a configuration that was stopped: at that rung, or at once if its verdict is on record."""
        if self._ladder.holds:
            return Decision(Verdict(trial, Action.STOP))
        if resource < stopped.rung:
            return _go_on(trial)
        self._record("report", trial, resource, value)
        seeds = len(self._members[unit])
        verdict = self._for_trial(trial, stopped.rung, stopped, stopped.reason, seeds, self._noise_at(stopped, seeds))
        return Decision(self._take(trial, resource, value, verdict))

    def _at_rung(self, unit: str, trial: str, place: NextRung, value: float) -> Decision:
        """Record the report, judge the unit if it is complete (or has no mean), else wait."""
        reported = self._waiting.setdefault(unit, {})
        reported[trial] = value
        epoch = self._ladder.epoch(place.epoch)
        self._take(trial, epoch, value, _pause(trial, epoch, place, self._missing(unit), self._turn(unit)))
        verdicts: tuple[Verdict, ...] = ()
        if not math.isfinite(value):
            reason = f"{trial} scored {value} at epoch {epoch}"
            verdicts = self._arrive(unit, None, reason)
        else:
            verdicts = self._come(unit)
        own = self._taken[trial, epoch][1]
        return Decision(own, tuple(verdict for verdict in verdicts if verdict.trial != trial))

    def _turn(self, unit: str) -> int:
        """How many of the unit's trials, from the first, may train."""
        place = self._units.next_rung(unit)
        count = self._ladder.seeds(None if place is None else place.epoch)
        return len(self._members[unit]) if count is None else count

    def _missing(self, unit: str) -> int:
        """How many of the trials that count at the unit's rung have neither come to it nor ended."""
        reported = self._waiting.get(unit, {})
        counting = self._members[unit][: self._turn(unit)]
        return sum(trial not in reported and trial not in self._ended for trial in counting)

    def _come(self, unit: str) -> tuple[Verdict, ...]:
        """Bring the unit to its rung if it is complete and not there yet, and to those that follow if it goes on."""
        return self._pass_on((), [unit])

    def _arrival(self, unit: str) -> tuple[tuple[Verdict, ...], Sequence[UnitVerdict]]:
        """The unit at its rung, if it is complete and not there yet: verdicts on its trials, and on units."""
        place = self._units.next_rung(unit)
        if place is None or unit in self._arrived or self._missing(unit):
            return (), ()
        counting, reported = self._members[unit][: self._turn(unit)], self._waiting.get(unit, {})
        values = [reported[trial] if trial in reported else self._ended[trial] for trial in counting]
        self._noise.add(place.bracket, place.epoch, values)
        # Exactly summed, so that the order of arrival leaves no trace.
        mean = math.fsum(values) / len(values)
        self._arrived.add(unit)
        return (), self._judged(unit, self._sign * mean, counting)

    def _judged(self, unit: str, value: float, counting: Sequence[str]) -> Sequence[UnitVerdict]:
        """The verdicts that fall because the unit, of which these trials count, comes to its rung."""
        if self._ranking is None:
            return self._units.arrive(unit, value)
        told = {trial: self._told_objectives[trial] for trial in counting}
        if missing := what_is_missing(self._objectives, told):
            return self._units.arrive(unit, None, missing)
        return self._ranking.arrive_with(unit, value, means_of_costs(self._objectives, told))

    def _arrive(self, unit: str, value: float | None, reason: str = "") -> tuple[Verdict, ...]:
        """The unit at its rung, then whoever goes on from there and has ended already at the rungs that follow."""
        self._arrived.add(unit)
        return self._pass_on(self._units.arrive(unit, value, reason))

    def _pass_on(self, fallen: Sequence[UnitVerdict], coming: Sequence[str] = ()) -> tuple[Verdict, ...]:
        """Verdicts on units as verdicts on their trials; whoever goes on and has ended comes to the next rung.

        coming: units that may come to their rung. A loop, as a unit may come to hundreds of rungs.
        """
        spread, left = list[Verdict](), list(coming)
        while True:
            spread += self._spread(fallen)
            self._arrived.difference_update(verdict.unit for verdict in fallen)
            left += [verdict.unit for verdict in reversed(fallen) if verdict.go_on]
            if not left:
                return tuple(spread)
            own, fallen = self._arrival(left.pop())
            spread += own

    def _spread(self, verdicts: Iterable[UnitVerdict]) -> tuple[Verdict, ...]:
        """The verdicts on units as verdicts on their trials that wait, whose turn comes, or that are given up.

        Without a turn, late seeds get theirs on arrival.
        """
        spread = []
        for verdict in verdicts:
            if not verdict.go_on:
                self._stopped[verdict.unit] = verdict
            members = self._members[verdict.unit]
            reported = self._waiting.pop(verdict.unit, {})
            seeds = self._ladder.seeds(verdict.rung) or len(members)
            noise = self._noise_at(verdict, seeds)
            for trial in members:
                if trial in reported:
                    epoch = self._judged_after(trial, verdict.rung)
                    own = self._for_trial(trial, epoch, verdict, verdict.reason, seeds, noise)
                    spread.append(self._take(trial, epoch, reported[trial], own))
            if self._ladder.holds:
                reason = self._why(verdict)
                spread += [
                    self._for_trial(trial, self._judged_after(trial, verdict.rung), verdict, reason, seeds, noise)
                    for trial in self._concerned(verdict, seeds)
                    if trial not in reported
                ]
        return tuple(spread)

    def _judged_after(self, trial: str, rung: Epochs) -> Epochs:  # noqa: ARG002 - for rungs that lie at costs
        """The epochs after which the rung judges the trial."""
        return self._ladder.epoch(rung)

    def _concerned(self, verdict: UnitVerdict, seeds: int) -> list[str]:
        """Trials that did not come to the rung: those whose turn comes, or all that the end of their unit stops."""
        members = self._members[verdict.unit]
        if verdict.go_on:
            return list(members[seeds : self._turn(verdict.unit)])
        return [trial for trial in members if trial not in self._ended and trial not in self._failed]

    def _why(self, verdict: UnitVerdict) -> str:
        """The reason of a verdict for a trial that did not come to the rung."""
        if verdict.go_on:
            return f"its configuration goes on with {self._turn(verdict.unit)} seeds: {verdict.reason}"
        return f"its configuration was stopped: {verdict.reason}"

    def _noise_at(self, verdict: UnitVerdict, seeds: int) -> float | None:
        return self._noise.of_difference(verdict.bracket, verdict.rung, seeds)

    def _overrun(self, trial: str, resource: Epochs, epoch: Epochs) -> str:
        if trial in self._waiting.get(self._place[trial][0], {}):
            return f"{trial} reports epoch {resource} although it was paused at epoch {epoch}"
        return f"{trial} reports epoch {resource} but not epoch {epoch}, where it is judged; report every epoch"

    def _refuse_early(self, trial: str) -> None:
        if not self.may_begin(trial):
            raise ReplayError(f"{trial} has trained although its turn had not come")

    def _where(self, trial: str) -> tuple[str, int]:
        """The trial's unit, and its place among the trials of it."""
        if trial not in self._place:
            raise ReplayError(f"the scheduler was not told of a trial '{trial}'")
        return self._place[trial]

    def _split(self, configuration: str, trials: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
        """(unit, its trials), checked: the configuration, or each trial."""
        if not trials:
            raise InputError(f"{configuration} has no trials")
        if configuration in self._members and not self._settings.per_trial:
            raise InputError(f"{configuration} is already in the sweep: its seeds are compared together, none can join")
        for trial in trials:
            if trial in self._place or list(trials).count(trial) > 1:
                raise InputError(f"trial {trial} appears twice")
        if self._settings.per_trial:
            return [(trial, (trial,)) for trial in trials]
        return [(configuration, tuple(trials))]

    def _add(self, unit: str, members: tuple[str, ...]) -> None:
        self._members[unit] = members
        self._place.update((trial, (unit, number)) for number, trial in enumerate(members))


def _go_on(trial: str) -> Decision:
    """Between rungs, where nothing is compared."""
    return Decision(Verdict(trial, Action.GO_ON))


def _pause(trial: str, epoch: Epochs, place: NextRung, missing: int, seeds: int) -> Verdict:
    """Nothing was compared yet, so there is no value."""
    return Verdict(trial, Action.PAUSE, rung=epoch, bracket=place.bracket, reason=waits_for(missing, seeds, place))


def waits_for(missing: int, seeds: int, place: NextRung) -> str:
    """Why a trial waits at a rung."""
    others = f"{missing} of the {seeds} seeds of its configuration" if missing else f"others of bracket {place.bracket}"
    return f"waits for {others}"
