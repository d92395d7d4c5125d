"""Tiny teachers and students."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_settings import made_model_settings
from method_cases import Trial

from greenexp.methods.base import TrialShape
from greenexp.model import MultiExitModel, build_model
from greenexp.records.sections import MethodChoice

SIZES = {"hidden": 12, "heads": 2, "intermediate": 20, "max_positions": 12, "dropout": 0.0, "attention": "eager"}
STEPS = 40
HEAD = {"layers": "all", "head": {"name": "linear", "dropout": 0.0}}
TAUGHT = [
    {"name": "distillation", "layers": 2},
    {"name": "distillation", "layers": 2, "exits": "all", "initial": "first"},
    {"name": "pkd", "layers": 2},
    {"name": "pkd", "layers": 3, "match": "last", "state": "mean", "initial": "spread", "exits": "all"},
    {"name": "theseus", "layers": 2, "rate": 0.5, "until": 1.0},
    {"name": "theseus", "layers": 2, "rate": 0.5, "until": 1.0, "train": "all", "exits": "all"},
    {"name": "tinybert", "layers": 2},
    {"name": "tinybert", "layers": 3, "hidden": 8, "heads": 2, "intermediate": 10},
    {"name": "tinybert", "layers": 4, "hidden": 4, "heads": 4, "attention": False},
]


def built(layers: int, seed: int, labels: int = 2) -> MultiExitModel:
    return build_model(
        made_model_settings(backbone={"name": "bert", "layers": layers, **SIZES}, exits=HEAD), labels, 30, 0, seed
    )


def trial(fields: dict[str, Any], teacher: Path, *, labels: int = 2) -> Trial:
    method = MethodChoice(**fields, teacher=str(teacher)).plugin()
    settings = method.adapt(made_model_settings(backbone={"name": "bert", "layers": 4, **SIZES}, exits=HEAD))
    model = build_model(settings, labels, vocab_size=30, pad_id=0, seed=1)
    depth, width = model.backbone.num_layers, model.backbone.hidden_size
    shape = TrialShape(model.exit_layers, depth, labels, epochs=4, seed=3, steps=STEPS, hidden_size=width)
    run = method.begin(shape)
    run.initialise(model)
    run.teacher.double()
    stage = run.stage(1)
    model.double().train().train_only(stage.parts, stage.exits)
    for parameter in run.parameters(1).values():
        parameter.data = parameter.data.double()
    return Trial(model, run)
