"""A recorded sweep with logits, as a driver leaves it."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from stand_ins import EPOCHS, a_record, a_trial

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.records.at_rest import FOLDER
from greenexp.records.held_out import HeldOutRecord
from greenexp.replay import ExitCosts
from greenexp.replay.logits import StoredLogits, write_logits

TRIALS = [a_trial(configuration, seed, 2) for configuration in range(2) for seed in range(2)]
BEST = "c001-i1-o0"
COSTS = ExitCosts([2, 4, 6], [3, 4, 5], [[3, 4, 5], [6, 8, 10], [9, 12, 15]], [[3, 4, 5], [7, 9, 11], [11, 14, 17]])


def logits(folder: Path, seed: int, examples: int = 50) -> str:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, examples)
    values = rng.normal(size=(3, examples, 2))
    for place in range(3):
        values[place, np.arange(examples), labels] += 0.7 * place
    lengths = rng.integers(3, 6, examples)
    return write_logits(folder / FOLDER, StoredLogits.of(values, labels, lengths, [1, 2, 3], COSTS))


def write_sweep(folder: Path, **spec: Any) -> None:
    """Two configurations of two seeds, finished; the better one evaluated on test. As before section `replay`."""
    ticks = itertools.count(1_000_000)
    with Journal(folder / NAME, clock=lambda: float(next(ticks))) as journal:
        whole = {
            "name": "small",
            "task": {"name": "clauses"},
            "metric": {"name": "accuracy", "exit": "mean", "mode": "max"},
            **spec,
        }
        journal.append("sweep", format=FORMAT, name="small", fingerprint="f", spec=whole)
        for trial in TRIALS:
            journal.append("trial", spec=trial.to_json())
        journal.append("session", number=1, versions={})
        for number, trial in enumerate(TRIALS):
            journal.append("started", trial=trial.trial, attempt=1, after=0)
            record = dataclasses.replace(a_record(trial, EPOCHS), dev_logits=logits(folder, number))
            journal.append("report", trial=trial.trial, attempt=1, record=record.to_json())
        for number, trial in enumerate(TRIALS[2:]):
            held_out = HeldOutRecord(EPOCHS, 40, 0.5, a_record(trial, EPOCHS).exits, logits(folder, 10 + number, 40))
            journal.append("held_out", trial=trial.trial, record=held_out.to_json())
        journal.append("closed", status="finished")
