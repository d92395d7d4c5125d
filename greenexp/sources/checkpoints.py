"""Which trained model is meant, by a sweep's folder or by the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from greenexp.errors import InputError, UnknownNameError
from greenexp.sources.folders import JOURNAL, sweep_folder, sweeps_within

if TYPE_CHECKING:
    from greenexp.journal.state import SweepState
    from greenexp.records.settings import Settings
    from greenexp.replay.logits import StoredLogits

MANIFEST = "greenexp.json"
MODELS = "models"


class FoundModel(NamedTuple):
    """folder: the model's; trial: its name; sweep: the folder of the sweep that trained it, None if it is not there."""

    folder: Path
    trial: str
    sweep: Path | None


@dataclass(frozen=True, slots=True)
class DevLogits:
    """What a model said about dev when it was trained, and the metric its sweep chose by (mode: max or min)."""

    stored: StoredLogits
    metric: str
    mode: str


def find_model(source: str | Path, trial: str | None = None) -> FoundModel:
    """The model that `source` means.

    Of a sweep it is the trial of the chosen configuration with the best dev score, or `trial`. Raises InputError where
    there is none, and says which there are.
    """
    if (Path(source) / MANIFEST).is_file():
        folder = Path(source)
        if trial is not None:
            raise InputError(f"--trial chooses among the models of a sweep, and {folder} is a model")
        return _alone(folder)
    if Path(source).is_dir() and not (Path(source) / JOURNAL).is_file() and not sweeps_within(Path(source)):
        raise InputError(f"{source} holds neither a sweep (no {JOURNAL} in it) nor a model (no {MANIFEST})")
    sweep = sweep_folder(source)
    state = _state(sweep)
    kept = {name: sweep / MODELS / name for name in state.trials if (sweep / MODELS / name / MANIFEST).is_file()}
    name = _best_kept(state, kept, sweep) if trial is None else _named(state, kept, sweep, trial)
    return FoundModel(kept[name], name, sweep)


def dev_logits(found: FoundModel) -> DevLogits:
    """The dev logits of the model's own epoch. InputError if they are not there, StateError if they are damaged."""
    from greenexp.records.at_rest import FOLDER, logits_at_rest
    from greenexp.replay.logits import read_logits

    if found.sweep is None:
        raise InputError(f"{found.folder} does not lie in a sweep's folder, so there are no dev logits to go by")
    state = _state(found.sweep)
    trial = state.trials[found.trial]
    standing = logits_at_rest(trial.status, trial.records)
    if standing is None:
        raise InputError(f"there are no dev logits of {found.trial}: it is {trial.status}, or stored none")
    metric = state.spec.metric
    stored = read_logits(found.sweep / FOLDER, standing.dev)
    return DevLogits(stored, metric.name, state.mode)


def recorded_settings(found: FoundModel) -> Settings:
    """The settings on record of the trial that trained the model. InputError if it does not lie in its sweep."""
    if found.sweep is None:
        raise InputError(
            f"{found.folder} does not lie in a sweep's folder (SWEEP/models/TRIAL), which would say what its task is"
        )
    return _state(found.sweep).trials[found.trial].spec.settings


def _alone(folder: Path) -> FoundModel:
    """A model named by its folder, which may still lie in its sweep."""
    folder = folder.resolve()
    above = folder.parent.parent
    inside = folder.parent.name == MODELS and (above / JOURNAL).is_file() and folder.name in _state(above).trials
    return FoundModel(folder, folder.name, above if inside else None)


def _state(sweep: Path) -> SweepState:
    from greenexp.journal.file import read_events
    from greenexp.journal.state import SweepState

    return SweepState(read_events(sweep / JOURNAL))


def _best_kept(state: SweepState, kept: Mapping[str, Path], sweep: Path) -> str:
    from greenexp.journal.chosen_model import best_kept

    best = best_kept(state, kept)
    if best is not None:
        return best
    if not state.chosen:
        raise InputError(
            f"{sweep} has not chosen a configuration yet: the seeds of none have ended at one epoch.{_there_are(kept)}"
        )
    name = state.chosen[0].spec.configuration
    raise InputError(f"{sweep} holds no model of its chosen configuration, {name}.{_there_are(kept)}")


def _named(state: SweepState, kept: Mapping[str, Path], sweep: Path, trial: str) -> str:
    if trial not in state.trials:
        raise UnknownNameError("trial", trial, list(kept) or list(state.trials))
    if trial not in kept:
        raise InputError(
            f"{sweep} keeps no model of {trial}, which is {state.trials[trial].status}: a sweep keeps those of the "
            f"configuration it chooses, and the same seeds give the others again.{_there_are(kept)}"
        )
    return trial


def _there_are(kept: Mapping[str, Path]) -> str:
    return f" There are (--trial): {', '.join(kept)}" if kept else " There is no model in it."
