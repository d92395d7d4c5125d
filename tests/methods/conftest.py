"""Fixtures of the methods' tests; the case table is in `method_cases`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_settings import made_model_settings
from method_cases import EPOCHS, Case, Trial
from taught_trials import built

from greenexp.backbones.base import TokenBatch
from greenexp.methods.base import MicroBatch, TrialShape
from greenexp.methods.teacher import _loaded
from greenexp.model import build_model, save_model
from greenexp.records.sections import MethodChoice


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    """`make_trial(case, num_labels=2, freeze=())`: built from adapted settings, float64, no dropout, ready to step."""

    def make(case: Case, num_labels: int = 2, freeze: tuple[str, ...] = ()) -> Trial:
        sizes = {"layers": 3, "hidden": 12, "heads": 2, "intermediate": 20, "max_positions": 12, "dropout": 0.0}
        backbone = {"name": "bert", "attention": "eager", **sizes, **case.backbone}
        settings = made_model_settings(backbone=backbone, exits={"layers": case.exit_layers, "head": case.head})
        method = MethodChoice(**case.fields).plugin()
        model = build_model(method.adapt(settings), num_labels, vocab_size=30, pad_id=0, seed=0).double().train()
        shape = TrialShape(model.exit_layers, model.backbone.num_layers, num_labels, EPOCHS)
        run = method.begin(shape)
        stage = run.stage(case.epoch)
        model.train_only(stage.parts - set(freeze), stage.exits)
        return Trial(model, run)

    return make


@pytest.fixture
def make_batch() -> Callable[..., list[MicroBatch]]:
    """`make_batch(lengths, regression=False)`: one micro-batch of two or three examples per length, some padded."""

    def make(lengths: tuple[int, ...] = (6,), regression: bool = False) -> list[MicroBatch]:
        rng = np.random.default_rng(0)
        sizes = [3 if index % 2 == 0 else 2 for index in range(len(lengths))]
        batch = []
        for length, examples in zip(lengths, sizes, strict=True):
            ids = torch.from_numpy(rng.integers(4, 30, (examples, length)))
            mask = torch.ones_like(ids)
            mask[-1, -2:] = 0
            labels = rng.normal(size=examples) if regression else rng.integers(0, 2, examples)
            batch.append(MicroBatch(TokenBatch(ids * mask, mask), torch.from_numpy(labels), examples / sum(sizes)))
        return batch

    return make


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """The folder of a model of four layers; a test may make the loaded one float64, so none is kept in memory."""
    _loaded.cache_clear()
    save_model(built(4, seed=5), tmp_path / "teacher")
    return tmp_path / "teacher"
