"""The trials that have not ended, kept so that asking for the next one costs the same however many there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice

from greenexp.journal.state import TrialState
from greenexp.records.decision import Action


class TrialQueue:
    """Trials that have been begun, and those that have not, in plan order.

    trials: of the sweep's state, by name; it may grow
    """

    def __init__(self, trials: Mapping[str, TrialState]) -> None:
        self._trials = trials
        self._known = 0
        self._planned: deque[str] = deque()
        self._open: dict[str, None] = {}
        self._ever: set[str] = set()
        self._catch_up()

    def began(self, trial: str) -> None:
        """A worker has taken the trial up. To be called for each that is."""
        self._ever.add(trial)
        self._open[trial] = None

    def begun(self) -> list[TrialState]:
        """Those that have been begun and have not ended."""
        self._catch_up()
        for name in [name for name in self._open if self._trials[name].ended]:
            del self._open[name]
        return [self._trials[name] for name in self._open]

    def planned(self) -> Iterator[TrialState]:
        """Those that have not been begun, in plan order."""
        self._catch_up()
        while self._planned and self._is_gone(self._planned[0]):
            self._planned.popleft()
        return (self._trials[name] for name in self._planned if not self._is_gone(name))

    def ever_begun(self) -> set[str]:
        """The names of all that have been begun."""
        self._catch_up()
        return self._ever

    def _is_gone(self, name: str) -> bool:
        return name in self._ever or self._trials[name].ended

    def _catch_up(self) -> None:
        """Take in the trials that have been added."""
        if len(self._trials) == self._known:
            return
        for name, trial in islice(self._trials.items(), self._known, None):
            if trial.attempts > 0:
                self.began(name)
            elif not trial.ended:
                self._planned.append(name)
        self._known = len(self._trials)
        self._planned = deque(sorted(self._planned, key=lambda name: self._trials[name].spec.index))


def turn(trial: TrialState) -> tuple[bool, float, float, int]:
    """What has begun goes before what has not, and what has trained longer first: promotion is from the top rung.

    Where rungs do not count epochs, what stands at a higher level.
    """
    level = (trial.verdicts[-1][1].level if trial.verdicts else None) or 0.0
    return trial.attempts == 0, -level, -trial.epoch, trial.spec.index


def waits(trial: TrialState) -> bool:
    """True while the scheduler's last word on the trial is to pause until others have reported."""
    return bool(trial.verdicts) and trial.verdicts[-1][1].action is Action.PAUSE
