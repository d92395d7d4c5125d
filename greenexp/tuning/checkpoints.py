"""Where the state of a paused trial lies."""

from __future__ import annotations


def checkpoint_folder(trial: str, epoch: int) -> str:
    """The folder of a trial's state after an epoch, relative to the sweep's."""
    return f"checkpoints/{trial}/epoch-{epoch}"
