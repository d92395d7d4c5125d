"""A further process's part of a trial: it trains with the others, and says nothing of the trial."""

from __future__ import annotations

from collections.abc import Callable

from greenexp.training.checkpoint import decoded
from greenexp.training.run import TrialRun
from greenexp.training.trial_setup import TrialSetup


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
        work = self._unfinished_setup()
        try:
            self._share_state(work)
            stretch = self.begin()
            with stretch.isolated():
                came_there = stretch.work.train(stretch.under_way, stretch.until, interrupted)
        except BaseException as error:
            self.give_up(error)
            raise
        if came_there:
            self._reports += 1
            self._begin_report()

    def _share_state(self, work: TrialSetup) -> None:
        """Take over what the first process starts from."""
        processes = work.trainer.processes
        if self._shares_state and processes is not None:
            with processes.together():
                self._go_on_from(*decoded(processes.share(None)), "the state of the trial's first process")
        self._shares_state = False
