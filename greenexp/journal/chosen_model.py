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
_DELIVERED: dict[Path, Path] = {}


def deliver(source: str, folder: Path) -> None:
    """Let `source` mean the model in `folder` in this process: a copy of that on the machine that plans the trials."""
    _DELIVERED[_expanded(Path(source))] = folder


def is_delivered(source: str) -> bool:
    """Whether `source` means a copy in this process."""
    return _expanded(Path(source)) in _DELIVERED


def means_model(source: Path) -> bool:
    """Whether `source` is a sweep's folder or the folder of a saved model."""
    source = _expanded(source)
    return source in _DELIVERED or (source / MODEL_MANIFEST).is_file() or (source / NAME).is_file()


def best_kept(state: SweepState, kept: Collection[str]) -> str | None:
    """Of the chosen configuration the trial with the best dev score, of those in `kept`; None where there is none."""
    best = best_trial((trial for trial in state.chosen if trial.spec.trial in kept), state.mode)
    return None if best is None else best.spec.trial


def chosen_model(source: Path) -> Path:
    """The folder of the model that `source` means: a model's own folder, or that of a sweep with its chosen model.

    `~` is the user's own folder. Raises InputError where there is none.
    """
    source = _expanded(source)
    if source in _DELIVERED:
        return _DELIVERED[source]
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


def _expanded(source: Path) -> Path:
    """`source` with `~` as the user's own folder; the home of a user whom nobody knows stays as it is written."""
    try:
        return source.expanduser()
    except RuntimeError:
        return source
