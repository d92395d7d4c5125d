"""What a worker is to do next, or why nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from greenexp.journal.state import TrialState
from greenexp.records.trial import TrialSpec


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial for a worker: continue after `checkpoint` (folder relative to the sweep's) or start from scratch.

    at_once: examples that are computed at once at most, where more did not fit into memory
    """

    spec: TrialSpec
    attempt: int
    checkpoint: str | None
    at_once: int | None = None


class NoTrial(Enum):
    """Why there is no assignment."""

    WAIT = "wait"
    """Running trials may still release or make room for one."""
    DONE = "done"
    """There is nothing left to start in this session."""


def assignment_of(trial: TrialState) -> Assignment:
    """The trial's next attempt, or the present one where it goes on after a pause.

    What was saved after 0 epochs is not gone on from: the journal writes off what was spent until then.
    """
    broken = trial.status in {"planned", "interrupted"}
    checkpoint = trial.checkpoint[1] if trial.checkpoint and trial.checkpoint[0] > 0 else None
    return Assignment(trial.spec, trial.attempts + broken, checkpoint, trial.micro_batch_size)


def half_at_once(trial: TrialState, processes: int) -> int | None:
    """Half as many examples at once as each of the trial's processes computed last; None where it was one."""
    own = trial.spec.settings.training.own_part(processes)
    return min(trial.micro_batch_size or own, own) // 2 or None
