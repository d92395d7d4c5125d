"""Whether the files that the journal names are still there as they were written: models and logits.

A power cut, a full disk or a hand may take them after the journal has named them. A checkpoint needs no such look: a
trial whose checkpoint is damaged begins anew (`tuning.worker`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from greenexp.errors import CheckpointError
from greenexp.journal.state import SweepState, TrialState
from greenexp.journal.tables import standing_logits
from greenexp.model.files import verify_model
from greenexp.records.at_rest import FOLDER
from greenexp.replay.logits import is_whole
from greenexp.tuning.models import model_folder


def lost_files(state: SweepState, folder: Path) -> Iterator[tuple[str, str]]:
    """Trial and what is missing or damaged of it, in words.

    Models are those of the configuration that is chosen so far, of trials that have ended; logits are those that stand
    for a trial. Every file is read and its hash compared.
    """
    for trial in state.chosen:
        if trial.ended and (why := _lost_model(trial, folder)):
            yield trial.spec.trial, f"{why}; training its seeds again in another sweep gives the same model"
    for trial in state.trials.values():
        standing = standing_logits(trial)
        for name in () if standing is None else standing.all:
            if not is_whole(folder / FOLDER, name):
                yield trial.spec.trial, f"its logits {name[:16]} are missing or damaged: the report leaves them out"


def _lost_model(trial: TrialState, folder: Path) -> str:
    try:
        verify_model(model_folder(folder, trial.spec.trial))
    except CheckpointError as error:
        return f"its model cannot be trusted: {error}"
    return ""
