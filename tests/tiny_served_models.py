"""Tiny untrained models on disk that can be served, texts for them, and a sweep that seems to have trained them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from made_settings import made_model_settings
from stand_ins import EPOCHS, a_record, a_trial

from greenexp.backbones.base import TokenBatch
from greenexp.inference import EarlyExitEngine
from greenexp.journal.events import FORMAT
from greenexp.journal.file import NAME, Journal
from greenexp.model import MultiExitModel, Serving, build_model, load_model, save_model
from greenexp.replay.logits import StoredLogits, write_logits
from greenexp.tasks.tokens import word_tokenizer

WORDS = ["a", "good", "bad", "film", "with", "no", "plot", "and", "some", "very", "slow", "music", "that", "nobody"]
MAX_LENGTH = 16
NAMES = ("worse", "better")
KEPT = ("c001-i0-o0", "c001-i1-o0")


def texts(count: int, pairs: bool = False) -> list[Any]:
    """Texts of 1 to 12 words, all different enough to leave at different exits."""
    generator = torch.Generator().manual_seed(count)

    def text() -> str:
        length = int(torch.randint(1, 13, (1,), generator=generator))
        return " ".join(WORDS[i] for i in torch.randint(0, len(WORDS), (length,), generator=generator).tolist())

    return [(text(), text()) if pairs else text() for _ in range(count)]


def a_model(num_labels: int, vocab_size: int, seed: int = 0, *, learned: bool = False) -> MultiExitModel:
    backbone = {"name": "bert", "layers": 3, "hidden": 16, "heads": 2, "max_positions": 20, "pooling": "mean"}
    settings = made_model_settings(backbone=backbone, exits={"learned": learned})
    model = build_model(settings, num_labels, vocab_size=vocab_size, pad_id=0, seed=seed).eval()
    with torch.no_grad():
        for head in model.heads:
            head.classifier.weight.mul_(40)  # far enough from 1/2 that a threshold parts examples
        if model.learned is not None:
            model.learned.scorer.weight.mul_(40)
    return model


def save_tiny(folder: Path, *, pairs: bool = False, num_labels: int = 2, seed: int = 0, learned: bool = False) -> Path:
    """A model that reads text, saved in `folder`."""
    tokenizer = word_tokenizer([" ".join(WORDS)])
    tokenizer.enable_truncation(MAX_LENGTH, strategy="longest_first")
    names = NAMES if num_labels == 2 else ()
    serving = Serving(tokenizer.to_str(), names, MAX_LENGTH, 0, pairs, (1, 2, 3), "tiny")
    save_model(a_model(num_labels, tokenizer.get_vocab_size(), seed, learned=learned), folder, serving)
    return folder


def dev_logits(folder: Path, count: int = 300) -> StoredLogits:
    """What the model in `folder` says about `texts(count)`; a fifth of the labels is not what its last exit says."""
    model = load_model(folder)
    tokens = EarlyExitEngine.load(folder, "static").encode(texts(count))
    with torch.inference_mode():
        said = [model.outputs(TokenBatch(torch.tensor([list(one.ids)]))) for one in tokens]
    logits = torch.cat([torch.stack(one.logits) for one in said], dim=1)
    learned = [torch.stack(one.learned) for one in said if one.learned is not None]
    labels = logits[-1].argmax(dim=1).numpy()
    labels[::5] = 1 - labels[::5]
    lengths = [len(one.ids) for one in tokens]
    costs, uncertain = model.exit_costs(lengths), torch.cat(learned, dim=1).numpy() if learned else None
    return StoredLogits.of(logits.numpy(), labels, lengths, model.exits, costs, uncertain)


def write_sweep(folder: Path, *, learned: bool = False) -> Path:
    """A sweep of 2 x 2 trials that is over: c001 is chosen, c001-i0-o0 is its best; the models of c001 are kept.

    learned: whether they have a learning-to-exit module
    """
    scores = {(0, 0): 0.5, (0, 1): 0.9, (1, 0): 0.85, (1, 1): 0.75}
    trials = [(a_trial(*key, 2), score) for key, score in scores.items()]
    models = {name: save_tiny(folder / "models" / name, seed=seed, learned=learned) for seed, name in enumerate(KEPT)}
    with Journal(folder / NAME) as journal:
        spec = {
            "name": "tiny",
            "task": {"name": "clauses"},
            "metric": {"name": "accuracy", "exit": "mean", "mode": "max"},
        }
        journal.append("sweep", format=FORMAT, name="tiny", fingerprint="f", spec=spec)
        for trial, _ in trials:
            journal.append("trial", spec=trial.to_json())
        journal.append("session", number=1, versions={}, measures={})
        for trial, score in trials:
            stored = write_logits(folder / "logits", dev_logits(models[trial.trial])) if trial.trial in KEPT else None
            record = dataclasses.replace(a_record(trial, EPOCHS, score), dev_logits=stored)
            journal.append("started", trial=trial.trial, attempt=1, after=0)
            journal.append("report", trial=trial.trial, attempt=1, record=record.to_json())
    return folder
