"""Which trained models are kept: those of the chosen configuration, and of trials that may still become it."""

from __future__ import annotations

import shutil
from pathlib import Path

from greenexp.journal.state import SweepState

MODELS = "models"
"""Of a sweep's folder."""


def model_folder(sweep_folder: Path, trial: str) -> Path:
    """Where the model of a trial's best epoch lies."""
    return sweep_folder / MODELS / trial


def kept_configurations(state: SweepState) -> set[str]:
    """The configurations whose models may be needed: the chosen one, and those with a trial that has not ended."""
    keep = {trial.spec.configuration for trial in state.chosen}
    return keep | {trial.spec.configuration for trial in state.trials.values() if not trial.ended}


def prune_models(sweep_folder: Path, state: SweepState) -> None:
    """Delete the models of configurations that have ended whole and are not the best on dev.

    A seed that ended first is kept for as long as another one of its configuration trains. Scores, logits and settings
    stay; training again with the same seeds gives the same model.
    """
    folder = sweep_folder / MODELS
    if not folder.is_dir():
        return
    keep = kept_configurations(state)
    for path in folder.iterdir():
        trial = state.trials.get(path.name)
        if trial is not None and trial.spec.configuration not in keep:
            shutil.rmtree(path, ignore_errors=True)
