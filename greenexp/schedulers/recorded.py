"""What every running scheduler over trials keeps: everything it was asked, in order, and the verdicts it gave."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from greenexp.errors import ReplayError
from greenexp.records.decision import Action, Decision, Verdict
from greenexp.records.objectives import NO_COSTS, ObjectiveCosts
from greenexp.records.progress import Epochs
from greenexp.schedulers.base import Mode, UnitVerdict


class RecordedScheduler(ABC):
    """A running scheduler over trials whose state is the list of what it was asked; `restore` asks again.

    settings: name and settings of the scheduler; groups: configuration -> its trials, in plan order
    A subclass sets its own state in `_begin`, writes down with `_record` every question that can change it, and gives
    verdicts through `_take`, so that a question asked twice gets the verdict that was given before.
    """

    def __init__(
        self, settings: Mapping[str, Any], groups: Mapping[str, Sequence[str]], *, max_epochs: int, mode: Mode
    ) -> None:
        self._groups = {configuration: list(trials) for configuration, trials in groups.items()}
        self._max_epochs = max_epochs
        self._sign = 1.0 if mode == "max" else -1.0
        self._identity = {
            "scheduler": dict(settings),
            "max_epochs": max_epochs,
            "mode": mode,
            "groups": self._groups,
        }
        self._restart()

    @abstractmethod
    def _begin(self) -> None:
        """The state of the subclass before anything was asked."""

    @abstractmethod
    def decide(
        self,
        trial: str,
        resource: Epochs,
        value: float,
        costs: Mapping[str, float | None] | None = None,
        objectives: ObjectiveCosts = NO_COSTS,
    ) -> Decision:
        """See `base.Scheduler.decide`."""

    @abstractmethod
    def withdraw(self, trial: str, reason: str) -> tuple[Verdict, ...]:
        """See `base.Scheduler.withdraw`."""

    @abstractmethod
    def finish(
        self, trial: str, resource: Epochs, value: float, objectives: ObjectiveCosts = NO_COSTS
    ) -> tuple[Verdict, ...]:
        """See `base.Scheduler.finish`."""

    @abstractmethod
    def enter(self, configuration: str, trials: Sequence[str]) -> None:
        """See `base.Scheduler.enter`."""

    def close(self) -> tuple[Verdict, ...]:
        """See `base.Scheduler.close`: nothing, unless a subclass has verdicts that wait for it."""
        return ()

    def state(self) -> dict[str, Any]:
        """What the scheduler is and everything it was asked; NaN and infinite values are text."""
        return {**self._identity, "asked": [list(question) for question in self._questions]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Begin anew and ask again what `state` was asked. ReplayError if it belongs to another scheduler."""
        different = [key for key, value in self._identity.items() if state.get(key) != value]
        if different:
            raise ReplayError(f"the scheduler's state belongs to another sweep: {', '.join(different)} differ")
        self._restart()
        for kind, name, *rest in state["asked"]:
            if kind == "report":
                self.decide(name, rest[0], float(rest[1]), **_named(rest[2:]))
            elif kind == "withdraw":
                self.withdraw(name, rest[0])
            elif kind == "finish":
                self.finish(name, rest[0], float(rest[1]), **_named(rest[2:]))
            elif kind == "close":
                self.close()
            else:
                self.enter(name, rest[0])

    def _restart(self) -> None:
        self._questions: list[list[Any]] = []
        self._taken: dict[tuple[str, Epochs], tuple[float, Verdict]] = {}  # (trial, epoch) -> reported value, verdict
        self._begin()

    def _record(self, kind: str, trial: str, resource: Epochs, value: float, *more: Any) -> None:
        self._questions.append([kind, trial, resource, value if math.isfinite(value) else str(value), *more])

    def _take(self, trial: str, epoch: Epochs, value: float, verdict: Verdict) -> Verdict:
        self._taken[trial, epoch] = (value, verdict)
        return verdict

    def _again(self, trial: str, epoch: Epochs, value: float) -> Verdict:
        """The verdict already given, if the repeated attempt reports what the first one did."""
        before, verdict = self._taken[trial, epoch]
        if value != before and (math.isfinite(value) or math.isfinite(before)):
            raise ReplayError(
                f"{trial} reports {value} at epoch {epoch}, but {before} before, on which '{verdict.action}' was "
                "decided"
            )
        return verdict

    def _for_trial(
        self, trial: str, epoch: Epochs, verdict: UnitVerdict, reason: str, seeds: int, noise: float | None
    ) -> Verdict:
        """The verdict on a unit as that on one of its trials, in the metric's own direction."""
        return Verdict(
            trial=trial,
            action=Action.GO_ON if verdict.go_on else Action.STOP,
            rung=epoch,
            value=None if verdict.value is None else self._sign * verdict.value,
            cutoff=None if verdict.cutoff is None else self._sign * verdict.cutoff,
            bracket=verdict.bracket,
            reason=reason,
            seeds=None if verdict.value is None else seeds,
            noise=None if verdict.value is None else noise,
            front=verdict.front,
            place=verdict.place,
        )


def recorded_objectives(objectives: ObjectiveCosts) -> tuple[Any, ...]:
    """What a question holds of the objectives besides the score: nothing where there are none."""
    return () if objectives == NO_COSTS else ("objectives", objectives.to_json())


def recorded_costs(axis: str, cost: float | None) -> tuple[Any, ...]:
    """What a question holds of the cost of a report."""
    return ("costs", {axis: cost})


def _named(more: Sequence[Any]) -> dict[str, Any]:
    """What `recorded_objectives` and `recorded_costs` recorded, as an argument."""
    if not more:
        return {}
    name, known = more
    return {name: ObjectiveCosts(**known) if name == "objectives" else known}
