"""A race over seeds while a sweep runs: trials whose turn has not come are held after their first epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from greenexp.errors import InputError, ReplayError
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import Mode, UnitVerdict
from greenexp.schedulers.brackets import Bracket, ExpectedEpochs, Rung
from greenexp.schedulers.recorded import RecordedScheduler
from greenexp.schedulers.synchronous import SynchronousBracket


class SeedRace(RecordedScheduler):
    """A running scheduler over trials (`base.Scheduler`): see `seed_racing.SeedRacing` for the rule.

    bracket: makes the bracket of configurations whose rungs count seeds; settings: the scheduler's name and settings
    groups: configuration -> its trials, in plan order, equally many

    What is recorded: reports that changed something, ends, failures.
    """

    needs_pausing = True

    def __init__(
        self,
        bracket: Callable[[], SynchronousBracket],
        settings: Mapping[str, Any],
        groups: Mapping[str, Sequence[str]],
        *,
        max_epochs: int,
        mode: Mode,
    ) -> None:
        self._new_bracket = bracket
        self._judged_at = max_epochs - 1  # a scheduler is not asked about the last epoch
        self._place = {
            trial: (configuration, place)
            for configuration, trials in groups.items()
            for place, trial in enumerate(trials)
        }
        if len(self._place) < sum(map(len, groups.values())):
            raise InputError("a trial appears twice")
        super().__init__(settings, groups, max_epochs=max_epochs, mode=mode)

    def _begin(self) -> None:
        """The state before anything was asked."""
        self._bracket = self._new_bracket()
        self._seeds = dict.fromkeys(self._groups, self._bracket.rungs[0])  # how many seeds may train
        self._done: dict[str, float] = {}  # trial -> its value, signed
        self._held: dict[str, tuple[Epochs, float]] = {}  # trial -> epoch and value it was held at
        self._stopped: dict[str, UnitVerdict] = {}
        self._failed: set[str] = set()

    @property
    def expected_epochs(self) -> ExpectedEpochs:
        """Training epochs of all trials, if none fails."""
        (bracket,) = self.bracket_plan()
        return ExpectedEpochs(bracket.epochs, len(self._place) * self._max_epochs, exact=True)

    def bracket_plan(self) -> tuple[Bracket, ...]:
        """Counted in trials: all of them train one epoch, those of the seeds that are raced train to the end."""
        plan = self._new_bracket().plan(len(self._groups[next(iter(self._groups))]))
        trained = plan.epochs  # of a bracket whose epochs are seeds
        every = len(self._place)
        return (Bracket(0, every, (Rung(1, every, trained),), self._max_epochs),)

    def decide(self, trial: str, resource: Epochs, value: float) -> Decision:
        """The verdict on `trial` after `resource` epochs: see `base.Scheduler.decide`."""
        configuration, place = self._where(trial)
        if (trial, resource) in self._taken:
            return Decision(self._again(trial, resource, value))
        stopped = self._stopped.get(configuration)
        late = stopped is not None and trial not in self._done
        early = stopped is None and place >= self._seeds[configuration]
        if trial in self._held and (late or early):
            raise ReplayError(f"{trial} reports epoch {resource} although it was paused at {self._held[trial][0]}")
        if not (late or early or resource == self._judged_at):
            return Decision(Verdict(trial, Action.GO_ON))
        self._record("report", trial, resource, value)
        if late and stopped is not None:
            return Decision(self._take(trial, resource, value, self._verdict(trial, resource, stopped)))
        if early:
            waits = f"its configuration does {self._seeds[configuration]} seeds first"
            held = self._take(trial, resource, value, Verdict(trial, Action.PAUSE, rung=resource, reason=waits))
            self._held[trial] = resource, value
            return Decision(held)
        others = self._finish(trial, value)
        stopped = None if trial in self._done else self._stopped.get(configuration)
        own = Verdict(trial, Action.GO_ON) if stopped is None else self._verdict(trial, resource, stopped)
        return Decision(self._take(trial, resource, value, own), others)

    def withdraw(self, trial: str, reason: str) -> tuple[Verdict, ...]:
        """`trial` failed for good: its configuration ranks last at the rung it comes to next, if there is one."""
        configuration, _ = self._where(trial)
        if trial in self._failed:
            return ()
        self._failed.add(trial)
        self._held.pop(trial, None)
        self._questions.append(["withdraw", trial, reason])
        return self._without_value(configuration, f"{trial} failed: {reason}")

    def finish(self, trial: str, resource: Epochs, value: float) -> tuple[Verdict, ...]:
        """`trial` ended by itself: a seed that is done, if it was not before; the verdicts on trials that are held."""
        self._where(trial)
        if trial in self._done or trial in self._failed:
            return ()
        self._held.pop(trial, None)
        self._record("finish", trial, resource, value)
        return self._finish(trial, value)

    def enter(self, configuration: str, trials: Sequence[str]) -> None:  # noqa: ARG002 - the protocol's argument
        """Refused: the race was filled when the sweep began."""
        raise InputError(
            f"{configuration} cannot join a sweep under this scheduler: its race was filled at the start; begin a new "
            "sweep with all configurations, or with a scheduler under which no configuration waits"
        )

    def _finish(self, trial: str, value: float) -> tuple[Verdict, ...]:
        """A seed whose turn it was is done; its configuration comes to its rung with the last of them."""
        configuration, _ = self._where(trial)
        if not math.isfinite(value):
            return self._without_value(configuration, f"{trial} scored {value} at epoch {self._judged_at}")
        self._done[trial] = self._sign * value
        turn = self._groups[configuration][: int(self._seeds[configuration])]
        if self._bracket.next_rung(configuration) is None or any(trial not in self._done for trial in turn):
            return ()
        # Exactly summed, so that the order of arrival leaves no trace.
        mean = math.fsum(self._done[trial] for trial in turn) / len(turn)
        return self._spread(self._bracket.arrive(configuration, mean, ""))

    def _without_value(self, configuration: str, reason: str) -> tuple[Verdict, ...]:
        if self._bracket.next_rung(configuration) is None:
            return ()
        return self._spread(self._bracket.arrive(configuration, None, reason))

    def _spread(self, verdicts: Iterable[UnitVerdict]) -> tuple[Verdict, ...]:
        """Verdicts on configurations as verdicts on those of their trials that are held."""
        spread, done = [], []
        for verdict in verdicts:
            trials = self._groups[verdict.unit]
            if verdict.go_on:
                rungs = self._bracket.rungs
                following = rungs.index(verdict.rung) + 1
                self._seeds[verdict.unit] = rungs[following] if following < len(rungs) else len(trials)
            else:
                self._stopped[verdict.unit] = verdict
            concerned = trials[: int(self._seeds[verdict.unit])] if verdict.go_on else trials
            for trial in [trial for trial in concerned if trial in self._held]:
                epoch, value = self._held.pop(trial)
                spread.append(self._take(trial, epoch, value, self._verdict(trial, epoch, verdict)))
                if verdict.go_on and epoch == self._judged_at:  # held where it counts as done
                    done.append((trial, value))
        for trial, value in done:
            spread += self._finish(trial, value)
        return tuple(spread)

    def _verdict(self, trial: str, epoch: Epochs, verdict: UnitVerdict) -> Verdict:
        seeds = len(self._groups[verdict.unit])
        return self._for_trial(trial, epoch, verdict, f"{verdict.reason} after {verdict.rung} of {seeds} seeds")

    def _where(self, trial: str) -> tuple[str, int]:
        if trial not in self._place:
            raise ReplayError(f"the scheduler was not told of a trial '{trial}'")
        return self._place[trial]
