"""A further process's part of a trial: it trains with the others, and says nothing of the trial."""

from __future__ import annotations

from collections.abc import Callable

from greenexp.training.checkpoint import decoded
from greenexp.training.processes import TrialProcesses
from greenexp.training.run import TrialRun


class CompanionRun(TrialRun):
    """As `TrialRun`, of a process that is not the trial's first one.

    It makes the steps of the first process on its own examples. What it starts from it is handed by that one, which
    evaluates, reports and saves; between two stretches it waits.
    """

    def train_along(self, interrupted: Callable[[], bool]) -> None:
        """Train to the next report, or until the processes agree to be interrupted, as the first does by `train_on`.

        interrupted: asked between two steps; what one of the processes says holds for all
        Raises what ended the training, in whichever process.
        """
        processes = self._processes
        if processes is None:
            raise ValueError("a companion of nobody")
        try:
            with processes.together():
                came_there = self._train_along(processes, interrupted)
        except BaseException as error:
            self.give_up(error)
            raise
        if came_there:
            self._reports += 1
            self._begin_report()

    def _train_along(self, processes: TrialProcesses, interrupted: Callable[[], bool]) -> bool:
        """Whether it came to the next report. A stretch begins and draws as it does in the first process."""
        if self._shares_state:
            self._go_on_from(*decoded(processes.share(None)), "the state of the trial's first process")
            self._shares_state = False
        work = self._unfinished_setup()
        with self._isolated(self._next_epoch(work)):
            until = self._enter(work)
            return work.train(self._entered, until, interrupted)
