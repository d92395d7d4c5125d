"""Several seeds of one configuration, trained in lock step as one stacked model.

Each seed keeps its own `TrialRun`: its model, whose weights are views of the stacked ones, its optimiser's state, its
order of examples, its random number generators, its losses, its report and its checkpoint. What is done together are
the forward and backward passes and AdamW. So whatever was saved of a seed can be trained on alone or with others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from greenexp.errors import DivergedError, FusedMemoryError
from greenexp.meters.shared import SharedMeters
from greenexp.records.epoch import FUSED_SEEDS, EpochRecord
from greenexp.training.memory import shortage
from greenexp.training.run import TrialRun
from greenexp.training.stacked_steps import StackedSteps
from greenexp.training.trial_setup import TrainingStretch


@dataclass(frozen=True, eq=False, slots=True)
class TrainedSeed:
    """What came of a seed's training: its report, or what its training raised, or neither if it was interrupted."""

    record: EpochRecord | None = None
    error: BaseException | None = None

    def get(self) -> EpochRecord | None:
        """The report, None where it was interrupted. Raises what its training raised."""
        if self.error is not None:
            raise self.error
        return self.record


class FusedRuns:
    """Seeds of one configuration in one process.

    at_most: of them that are computed as one
    meters: of the process; each run has a member's part of these
    """

    def __init__(self, meters: SharedMeters, at_most: int) -> None:
        self.at_most = at_most
        self._meters = meters
        self._steps: StackedSteps | None = None

    def train_on(self, runs: Sequence[TrialRun], interrupted: Callable[[], bool]) -> dict[TrialRun, TrainedSeed]:
        """Train those of `runs` that are furthest behind to their next report, or until `interrupted`.

        Returns what came of each that trained. Raises FusedMemoryError where memory ran out while several were computed
        as one: all of them are then of no further use, and fresh ones can go on from their last checkpoints.
        """
        behind = self._furthest_behind(runs)
        came_there = len(behind) == 1 or self._train_as_one(behind, interrupted)
        if len(behind) == 1:
            self._steps = None  # it trains on by itself
        self._meters.settle()
        found = {run: _attempt(run, interrupted) if came_there else TrainedSeed() for run in behind}
        if any(outcome.error is not None or (outcome.record and outcome.record.last) for outcome in found.values()):
            self._steps = None  # whoever is done lets go of its model, and finds nobody else who holds it
        self._meters.settle()
        return {run: _completed(run, outcome, len(runs)) for run, outcome in found.items()}

    def _furthest_behind(self, runs: Sequence[TrialRun]) -> list[TrialRun]:
        """Of the runs with the fewest steps as many as may be computed as one."""
        least = min(run.step for run in runs)
        first, *others = (run for run in runs if run.step == least)
        alike = [first, *(run for run in others if run.trial.fold == first.trial.fold)]
        return alike[: self.at_most] if all(run.can_be_fused for run in alike) else [first]

    def _train_as_one(self, runs: list[TrialRun], interrupted: Callable[[], bool]) -> bool:
        """Make the steps to the next report of all that do not fail; False if it was interrupted before."""
        told, seeds = None, len(runs)
        try:
            while len(runs) > 1:
                stretches = {run: stretch for run in runs if (stretch := _begun(run)) is not None}
                runs = list(stretches)
                if len(runs) < 2:
                    break
                came_there, failed = self._trained(list(stretches.values()), interrupted)
                for number, error in failed.items():
                    runs[number].give_up(error)
                if not failed:
                    return came_there
                runs = [run for number, run in enumerate(runs) if number not in failed]
        except Exception as error:  # a head's own code may raise anything, and not all that draws can be stacked
            told = shortage(error)
            if told is None:
                for run in runs:
                    run.give_up(error)
                return True
        if told is not None:  # out here, where the error that was caught, and what its frames hold, is gone
            self._steps = None
            raise FusedMemoryError(seeds, told)
        self._steps = None
        return True

    def _trained(
        self, stretches: Sequence[TrainingStretch], interrupted: Callable[[], bool]
    ) -> tuple[bool, dict[int, DivergedError]]:
        works = [stretch.work for stretch in stretches]
        with stretches[0].isolated():
            if self._steps is None or not self._steps.fits(works):
                self._steps = None  # its memory first
                self._steps = StackedSteps(works)
            return self._steps.train(stretches, interrupted)


def _begun(run: TrialRun) -> TrainingStretch | None:
    """What it has to train; None where it cannot begin, which `train_on` then says."""
    try:
        return run.begin()
    except Exception as error:  # a method's own code may raise anything
        run.give_up(error)
        return None


def _attempt(run: TrialRun, interrupted: Callable[[], bool]) -> TrainedSeed:
    """Its report; the steps to it have been made, unless it trains alone."""
    try:
        return TrainedSeed(run.train_on(interrupted))
    except Exception as error:  # as above
        return TrainedSeed(error=error)


def _completed(run: TrialRun, outcome: TrainedSeed, among: int) -> TrainedSeed:
    """The report with what was used while it was made, and how many seeds shared the costs."""
    record = outcome.record
    if record is None or among == 1:
        return outcome
    late = dataclasses.replace(run.meters.read().costs, train_flops=0.0, eval_flops=0.0)
    said = {**record.computed_with, FUSED_SEEDS: str(among)}
    return TrainedSeed(dataclasses.replace(record, costs=record.costs.plus(late), computed_with=said))
