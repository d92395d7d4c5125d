"""Tiny images, and what trains on them: maps of 16 x 16 pixels, a ResNet of three blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from made_settings import made_model_settings, made_settings

from greenexp.backbones.base import PixelBatch
from greenexp.model import MultiExitModel, build_model
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.tasks.pixels import PixelTask
from greenexp.tasks.shapes import Shapes

RESNET = {"name": "resnet", "depth": 8, "width": 4}
SHAPES = {"name": "shapes", "train": 64, "dev": 32, "test": 16, "side": 16, "augment": True}
SGD = {"optimiser": "sgd", "schedule": "steps", "learning_rate": 0.05, "weight_decay": 1e-4, "warmup": 0.0}


def tiny_images() -> PixelTask:
    return Shapes(**{name: value for name, value in SHAPES.items() if name != "name"}).load()  # type: ignore[arg-type]


def image_trial(order: int = 0, exits: dict[str, Any] | None = None, **sections: Any) -> TrialSpec:
    training = {"epochs": 2, "batch_size": 16, "precision": "fp32", "clip_norm": None, **SGD}
    settings = made_settings(
        task=SHAPES,
        backbone=sections.pop("backbone", RESNET),
        exits=exits or {},
        training=training | sections.pop("training", {}),
        **sections,
    )
    return TrialSpec("c000-i0-o0", "c000", 0, settings, {}, TrialSeeds(0, order))


def image_model(head: str = "linear", layers: Any = "all", num_labels: int = 10, **backbone: Any) -> MultiExitModel:
    settings = made_model_settings(backbone={**RESNET, **backbone}, exits={"layers": layers, "head": {"name": head}})
    return build_model(settings, num_labels, 0, 0, seed=0)


def images(examples: int, side: int = 16) -> PixelBatch:
    rng = np.random.default_rng(0)
    return PixelBatch(torch.from_numpy(rng.integers(0, 256, (examples, 3, side, side), dtype=np.uint8)))
