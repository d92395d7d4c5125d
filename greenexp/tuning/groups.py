"""Which trials share a worker, where the seeds of a configuration are trained as one model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from greenexp.journal.state import SweepState, TrialState
from greenexp.tuning.assignment import Assignment, assignment_of


class TrialGroups:
    """The groups of a session. A trial that is in none has its worker to itself."""

    def __init__(self) -> None:
        self._groups: dict[str, tuple[str, ...]] = {}
        self._apart: set[str] = set()

    def form(self, trials: Sequence[str]) -> None:
        """These share a worker from now on."""
        self._groups.update(dict.fromkeys(trials, tuple(trials)))

    def beside(self, trial: str) -> dict[str, list[str]]:
        """What the journal's event `started` says of the others that share the trial's worker, {} if none do."""
        others = [other for other in self._groups.get(trial, ()) if other != trial]
        return {"beside": others} if others else {}

    def keep_apart(self, trials: Sequence[str]) -> None:
        """These take no part in a group any more: together they had too little memory."""
        self._apart.update(trials)

    def workers(self, live: Collection[str]) -> int:
        """How many workers the trials `live` occupy."""
        return len({self._groups.get(trial, (trial,)) for trial in live})

    def further(self, first: str, state: SweepState, may_take: Callable[[TrialState], bool]) -> Assignment | None:
        """A further seed of the configuration of `first` that its worker takes besides those it has been given.

        may_take: whether the conductor would hand a trial out; those that were given count as handed out
        """
        own = state.trials[first]
        seeds = (trial for trial in state.members(own.spec.configuration) if self._may_join(own, trial))
        return next((assignment_of(trial) for trial in seeds if may_take(trial)), None)

    def _may_join(self, first: TrialState, other: TrialState) -> bool:
        """Whether the two can be trained as one model: on the same examples, equally far, in whole batches."""
        return (
            other is not first
            and self._apart.isdisjoint((first.spec.trial, other.spec.trial))
            and first.micro_batch_size is None
            and other.micro_batch_size is None
            and first.spec.fold == other.spec.fold
            and _place(first) == _place(other)
        )


def _place(trial: TrialState) -> float:
    """Epochs after which it goes on."""
    return trial.checkpoint[0] if trial.checkpoint else 0
