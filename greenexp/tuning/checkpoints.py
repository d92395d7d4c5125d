"""Where the state of a paused trial lies, and when it may go."""

from __future__ import annotations

import shutil
from pathlib import Path

from greenexp.journal.events import Event
from greenexp.journal.state import SweepState

_FOLDER = "checkpoints"


def checkpoint_folder(trial: str, epoch: int) -> str:
    """The folder of a trial's state after an epoch, relative to the sweep's."""
    return f"{_FOLDER}/{trial}/epoch-{epoch}"


def prune_checkpoints(sweep_folder: Path, state: SweepState, event: Event) -> None:
    """Delete what `event` made superfluous: a trial's older states, or all of a trial that has ended.

    Nothing of a trial whose worker may still be writing: that is over once its pause is in the journal.
    """
    trial = state.trials.get(str(event.data.get("trial")))
    if trial is None:
        return
    own = sweep_folder / _FOLDER / trial.spec.trial
    is_saved = trial.checkpoint is not None and trial.checkpoint[0] == trial.epoch
    if trial.ended and (trial.status != "stopped" or is_saved):
        shutil.rmtree(own, ignore_errors=True)
    elif event.kind == "paused" and own.is_dir():
        newest = Path(event.data["checkpoint"]).name
        for path in own.iterdir():
            if path.name != newest:
                shutil.rmtree(path, ignore_errors=True)


def drop_checkpoints(sweep_folder: Path) -> None:
    """Delete all of them: a finished sweep has no use for any."""
    shutil.rmtree(sweep_folder / _FOLDER, ignore_errors=True)
