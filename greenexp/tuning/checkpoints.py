"""Where the saved state of a trial lies, and when it may go."""

from __future__ import annotations

import shutil
from pathlib import Path

from greenexp.journal.events import Event
from greenexp.journal.state import SweepState
from greenexp.records.progress import Epochs

CHECKPOINTS, _STEP = "checkpoints", "step-"


def checkpoint_folder(trial: str, epoch: Epochs) -> str:
    """The folder of the state of a trial that paused after `epoch` epochs, relative to the sweep's."""
    return f"{CHECKPOINTS}/{trial}/epoch-{epoch}"


def saved_folder(trial: str, step: int) -> str:
    """The folder of the state of a trial that trains on after optimiser step `step`, relative to the sweep's."""
    return f"{CHECKPOINTS}/{trial}/{_STEP}{step}"


def prune_checkpoints(sweep_folder: Path, state: SweepState, event: Event) -> None:
    """Delete what `event` made superfluous: a trial's older states, or all of a trial that has ended.

    Nothing that a worker may still be writing: that is over once its pause is in the journal, and a trial that trains
    on writes states after later steps only.
    """
    trial = state.trials.get(str(event.data.get("trial")))
    if trial is None:
        return
    own = sweep_folder / CHECKPOINTS / trial.spec.trial
    is_saved = trial.checkpoint is not None and trial.checkpoint[0] == trial.epoch
    if trial.ended and (trial.status != "stopped" or is_saved):
        shutil.rmtree(own, ignore_errors=True)
    elif event.kind in {"paused", "saved"} and own.is_dir():
        newest = Path(event.data["checkpoint"]).name
        for path in own.iterdir():
            if path.name != newest and not (event.kind == "saved" and _step(path.name) > _step(newest)):
                shutil.rmtree(path, ignore_errors=True)


def _step(name: str) -> int:
    """The step of a folder's name, 0 of one that is named by its epoch."""
    step = name.removeprefix(_STEP)
    return int(step) if step.isdecimal() else 0


def drop_checkpoints(sweep_folder: Path) -> None:
    """Delete all of them: a finished sweep has no use for any."""
    shutil.rmtree(sweep_folder / CHECKPOINTS, ignore_errors=True)
