"""Small models whose exits disagree and are sure to different degrees, and what replay says about them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from greenexp.backbones.base import TokenBatch
from greenexp.inference import Tokens
from greenexp.model import MultiExitModel, Serving, build_model
from greenexp.records.settings import ModelSettings
from greenexp.replay import ExitRecord
from greenexp.tasks.tokens import word_tokenizer

VOCABULARY, LONGEST = 60, 24


def made_model(
    classes: int = 3,
    layers: Any = "all",
    vocab_size: int = VOCABULARY,
    *,
    learned: bool = False,
    head: str = "linear",
    depth: int = 6,
    **backbone: Any,
) -> MultiExitModel:
    """`depth` layers; each exit's logits have mean 0 and standard deviation 2 over random examples.

    learned: with a learning-to-exit module, whose outputs are spread between 0 and 1
    """
    shape = {"name": "bert", "layers": depth, "hidden": 32, "heads": 2, "max_positions": LONGEST} | backbone
    settings = {"backbone": shape, "exits": {"layers": layers, "head": {"name": head}, "learned": learned}}
    model = build_model(ModelSettings.from_json(settings), classes, vocab_size=vocab_size, pad_id=0, seed=5).eval()
    ids = torch.from_numpy(np.random.default_rng(2).integers(1, vocab_size, (64, 7)))
    with torch.no_grad():
        logits = model(TokenBatch(ids))
        for number in model.exits:
            classifier = model.head(number).classifier
            scale = 2 / logits[number - 1].std(dim=0)
            classifier.bias.copy_((classifier.bias - logits[number - 1].mean(dim=0)) * scale)
            classifier.weight.mul_(scale[:, None])
        if model.learned is not None:
            scores = torch.logit(torch.stack(model.outputs(TokenBatch(ids)).learned or ()))
            model.learned.scorer.weight.mul_(1.5 / scores.std())
            model.learned.scorer.bias.copy_(-scores.mean() * 1.5 / scores.std())
    return model


@cache
def shared_model(classes: int = 3, *, learned: bool = False) -> MultiExitModel:
    """`made_model`, made once: never change it."""
    return made_model(classes, learned=learned)


def made_examples(count: int, seed: int = 0, longest: int = LONGEST) -> list[Tokens]:
    """Random ids, lengths from 1 to `longest`."""
    rng = np.random.default_rng(seed)
    return [Tokens(rng.integers(1, VOCABULARY, rng.integers(1, longest + 1)).tolist()) for _ in range(count)]


@cache
def shared_examples() -> tuple[Tokens, ...]:
    """48 examples, made once."""
    return tuple(made_examples(48))


def recorded(model: MultiExitModel, examples: Sequence[Tokens]) -> ExitRecord:
    """What all exits say, each example alone, for replay."""
    with torch.inference_mode():
        said = [model.outputs(TokenBatch(torch.tensor([one.ids]))) for one in examples]
    logits = torch.stack([torch.stack([logits[0] for logits in one.logits]) for one in said], dim=1).numpy()
    learned = None
    if model.learned is not None:
        learned = torch.cat([torch.stack(one.learned or ()) for one in said], dim=1).numpy()
    lengths, nothing = np.array([len(one.ids) for one in examples]), np.zeros(len(examples), dtype=np.int64)
    return ExitRecord(logits, nothing, lengths, learned=learned)


@cache
def shared_record() -> ExitRecord:
    """`recorded` of the shared model and examples."""
    return recorded(shared_model(), shared_examples())


def a_serving(**changes: Any) -> Serving:
    """Of a model with 3 classes that reads single texts of up to 12 words."""
    tokenizer = word_tokenizer(["never was a story of more woe than this of juliet and her romeo"])
    tokenizer.enable_truncation(12, strategy="longest_first")
    fields: dict[str, Any] = {
        "tokenizer": tokenizer.to_str(),
        "label_names": ("good", "bad", "ugly"),
        "max_length": 12,
        "pad_id": 0,
        "pairs": False,
        "trained_exits": (1, 2, 3, 4, 5, 6),
        "task": "verses",
    }
    return Serving(**fields | changes)
