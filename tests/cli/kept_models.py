"""A sweep of one trial that is over, with the model it seems to have trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from stand_ins import EPOCHS, a_record, a_trial
from tiny_served_models import dev_logits

from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.model import Serving, build_model, save_model
from greenexp.plan.data import prepare_data
from greenexp.records.settings import Settings
from greenexp.replay.logits import write_logits

TRIAL = "c000-i0-o0"


def write_kept(
    folder: Path, settings: Settings, trained: tuple[int, ...] = (1, 2, 3), *, scale: float, with_dev: bool = False
) -> Path:
    """scale: of the exits' weights, so that their answers lie far enough from equal to part examples.

    with_dev: with dev logits, as of `tiny_served_models`
    """
    data = prepare_data(settings)
    model = build_model(settings.model, data.num_labels, vocab_size=data.vocab_size, pad_id=data.pad_id, seed=0).eval()
    with torch.no_grad():
        for number in model.exits:
            model.head(number).classifier.weight.mul_(scale)
    task = settings.task.name
    serving = Serving(data.tokenizer, data.label_names, data.max_length, data.pad_id, data.pairs, trained, task)
    save_model(model, folder / "models" / TRIAL, serving)
    trial = dataclasses.replace(a_trial(0, 0, 1), settings=settings)
    with Journal(folder / NAME) as journal:
        spec = {
            "name": "tiny",
            "task": {"name": "clauses"},
            "metric": {"name": "accuracy", "exit": "mean", "mode": "max"},
        }
        journal.append("sweep", format=FORMAT, name="tiny", fingerprint="f", spec=spec)
        journal.append("trial", spec=trial.to_json())
        journal.append("session", number=1, versions={}, measures={})
        journal.append("started", trial=TRIAL, attempt=1, after=0)
        stored = write_logits(folder / "logits", dev_logits(folder / "models" / TRIAL)) if with_dev else None
        record = dataclasses.replace(a_record(trial, EPOCHS, 0.8), dev_logits=stored)
        journal.append("report", trial=TRIAL, attempt=1, record=record.to_json())
    return folder
