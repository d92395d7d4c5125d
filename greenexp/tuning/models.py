"""Which trained models are kept: those of the chosen configuration, and of trials that may still become it."""

from __future__ import annotations

import shutil
from pathlib import Path

from greenexp.journal.state import SweepState


def model_folder(sweep_folder: Path, trial: str) -> Path:
    """Where the model of a trial's best epoch lies."""
    return sweep_folder / "models" / trial


def prune_models(sweep_folder: Path, state: SweepState) -> None:
    """Delete the models of configurations that have ended whole and are not the best on dev.

    A seed that ended first is kept for as long as another one of its configuration trains. Scores, logits and settings
    stay; training again with the same seeds gives the same model.
    """
    folder = sweep_folder / "models"
    if not folder.is_dir():
        return
    keep = {trial.spec.configuration for trial in state.chosen}
    keep |= {trial.spec.configuration for trial in state.trials.values() if not trial.ended}
    for path in folder.iterdir():
        trial = state.trials.get(path.name)
        if trial is not None and trial.spec.configuration not in keep:
            shutil.rmtree(path, ignore_errors=True)
