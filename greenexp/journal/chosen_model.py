"""Which of a sweep's kept models is meant where only the sweep is named."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from greenexp.errors import InputError
from greenexp.journal.events import NAME
from greenexp.journal.file import read_events
from greenexp.journal.state import SweepState
from greenexp.records.manifests import MODEL_MANIFEST
from greenexp.records.selection import best_trial

MODELS = "models"


def best_kept(state: SweepState, kept: Collection[str]) -> str | None:
    """Of the chosen configuration the trial with the best dev score, of those in `kept`; None where there is none."""
    best = best_trial((trial for trial in state.chosen if trial.spec.trial in kept), state.mode)
    return None if best is None else best.spec.trial


def chosen_model(source: Path) -> Path:
    """The folder of the model that `source` means: a model's own folder, or that of a sweep with its chosen model.

    Raises InputError where there is none.
    """
    if (source / MODEL_MANIFEST).is_file():
        return source
    if not (source / NAME).is_file():
        raise InputError(f"{source} holds neither a sweep (no {NAME} in it) nor a model (no {MODEL_MANIFEST})")
    state = SweepState(read_events(source / NAME))
    kept = {name for name in state.trials if (source / MODELS / name / MODEL_MANIFEST).is_file()}
    best = best_kept(state, kept)
    if best is None:
        raise InputError(f"{source} holds no model of a chosen configuration: it has not ended, or was cleaned")
    return source / MODELS / best
