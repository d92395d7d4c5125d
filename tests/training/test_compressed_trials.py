"""Trials whose reports are of a compressed model: priced exactly, resumed to the same numbers, served as saved."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from made_settings import made_settings

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.inference.engine import EarlyExitEngine
from greenexp.journal.origins import identities
from greenexp.model import build_model, load_model, load_serving
from greenexp.plan.data import prepare_data
from greenexp.plan.flops import epoch_flops
from greenexp.records.trial import TrialSeeds, TrialSpec
from greenexp.training import TrialRun

BACKBONE = {"name": "bert", "layers": 4, "hidden": 16, "heads": 4, "intermediate": 20, "max_positions": 32}
CASES: list[dict[str, dict[str, Any]]] = [
    {"compression": {"name": "head_pruning", "examples": 20}, "method": {"name": "branchynet"}},
    {"compression": {"name": "unit_pruning", "examples": 20}, "method": {"name": "finetune"}},
    {"compression": {"name": "int8"}, "method": {"name": "pabee"}},
    {"compression": {"name": "magnitude_pruning", "every": 2}, "method": {"name": "finetune"}},
    {"compression": {"name": "weight_sharing", "embedding_size": 4}, "method": {"name": "branchynet"}},
    {"compression": {"name": "layer_pruning"}, "method": {"name": "layerdrop", "exits": "all"}},
]
NARROW = {"layers": 2, "hidden": 8, "heads": 4, "intermediate": 12}
TAUGHT: tuple[dict[str, Any], ...] = (
    *({"name": name, "layers": 2} for name in ("distillation", "pkd", "theseus")),
    {"name": "tinybert", "layers": 2},
    {"name": "tinybert", **NARROW},
)


def made_trial(epochs: int = 2, **sections: dict[str, Any]) -> TrialSpec:
    sections = {"backbone": BACKBONE, **sections}
    settings = made_settings(
        task={"name": "clauses", "train": 40, "dev": 20, "test": 20},
        training={"epochs": epochs, "batch_size": 8, "learning_rate": 3e-3},
        **sections,
    )
    return TrialSpec("c000-i0-o0", "c000", 0, settings, {}, TrialSeeds(1, 2))


def numbers(record: Any) -> dict[str, Any]:
    kept = dataclasses.asdict(record)
    kept["costs"] = {name: kept["costs"][name] for name in ("train_flops", "eval_flops")}
    return kept


def check(trial: TrialSpec, folder: Path) -> None:
    """The plan's FLOPs, a run saved within its last epoch and resumed, and the model that was saved."""
    data = prepare_data(trial.settings)
    with TrialRun(trial, data, model_folder=folder / "model") as run:
        whole = list(run)
    planned = epoch_flops(trial, data)
    assert tuple(record.costs.train_flops for record in whole) == planned.training
    assert tuple(record.costs.eval_flops for record in whole) == planned.evaluation
    with TrialRun(trial, data) as run:
        first = next(run)
        left = iter((False, True))
        assert run.train_on(lambda: next(left)) is None
        run.save(folder / "checkpoint")
    with TrialRun(trial, data) as again:
        again.load(folder / "checkpoint")
        resumed = [first, *again]
    assert list(map(numbers, resumed)) == list(map(numbers, whole))
    model, serving = load_model(folder / "model"), load_serving(folder / "model")
    assert serving is not None
    assert (model.parameter_count(), model.weight_bytes()) == (whole[-1].parameters, whole[-1].weight_bytes)
    engine = EarlyExitEngine.load(folder / "model", {"name": "static", "exit": serving.trained_exits[-1]})
    tokens = engine.encode(["it was good", "not bad at all"])
    answers = engine.batch(tokens)
    exit_number = serving.trained_exits[-1]
    alone = model(TokenBatch(torch.tensor([tokens[0].ids])), (exit_number,))[0, 0]
    assert answers[0].exit == exit_number
    assert answers[0].logits == pytest.approx(alone.tolist(), abs=1e-6)


@pytest.mark.parametrize("sections", CASES, ids=lambda one: one["compression"]["name"])
def test_a_compressed_trial(sections: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    check(made_trial(**sections), tmp_path)


@pytest.mark.parametrize("fields", TAUGHT, ids=lambda one: " ".join(map(str, one.values())))
def test_a_taught_trial(fields: dict[str, Any], tmp_path: Path) -> None:
    teacher = made_trial(method={"name": "finetune"})
    with TrialRun(teacher, prepare_data(teacher.settings), model_folder=tmp_path / "teacher") as run:
        next(run)
    # The narrow student is interrupted in its first stage, the other one in its second.
    epochs = 3 if "hidden" in fields else 2
    check(made_trial(epochs, method={**fields, "teacher": str(tmp_path / "teacher")}), tmp_path)


FORMS: tuple[dict[str, Any], ...] = (
    {"compression": {"name": "head_pruning", "examples": 20}},
    {"compression": {"name": "unit_pruning", "examples": 20}, "backbone": {"layers": 3}},
    {"compression": {"name": "layer_pruning"}, "backbone": {"pooling": "mean"}},
    {"compression": {"name": "magnitude_pruning", "every": 2}},
    {"compression": {"name": "weight_sharing", "embedding_size": 4}},
)


def trained(folder: Path, **sections: dict[str, Any]) -> str:
    """The folder of a model after one epoch."""
    trial = made_trial(method={"name": "finetune"}, **sections)
    with TrialRun(trial, prepare_data(trial.settings), model_folder=folder) as run:
        next(run)
    return str(folder)


@pytest.mark.parametrize("case", FORMS, ids=lambda one: one["compression"]["name"])
def test_exits_on_top_of_a_compressed_model(case: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    source = trained(tmp_path / "first", compression=case["compression"])
    asked = {**case.get("backbone", {}), "source": source}
    trial = made_trial(method={"name": "branchynet"}, backbone={"name": "bert", **asked})
    own = dataclasses.replace(trial, fingerprint="", origins=identities(trial.settings))
    assert set(own.origins) == {"backbone.source"}
    check(own, tmp_path)
    before, after = load_model(tmp_path / "first"), load_model(tmp_path / "model")
    assert after.backbone.num_layers == asked.get("layers", before.backbone.num_layers)
    assert (after.settings.form is None) is (before.settings.form is None)
    built = build_model(trial.settings.model, 2, 30, 0, seed=0)
    weights = before.backbone.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in built.backbone.state_dict().items())


@pytest.mark.parametrize(
    ("compression", "sections", "told"),
    [
        ("int8", {}, "8 bits.*compression int8"),
        ("none", {"backbone": {"name": "roberta"}}, "name: bert"),
        ("none", {"backbone": {"layers": 5}}, "4 layers, not 5"),
        ("none", {"backbone": {"dropout": 0.1}}, "backbone.dropout"),
        ("none", {"backbone": {"pooling": "pooler"}}, "no pooler"),
        ("weight_sharing", {"backbone": {"layers": 2}}, "share weights"),
        ("weight_sharing", {"compression": {"name": "weight_sharing"}}, "compressed model"),
    ],
)
def test_encoders_that_do_not_go_on(compression: str, sections: dict[str, Any], told: str, tmp_path: Path) -> None:
    own = {"name": compression, **({"embedding_size": 4} if compression == "weight_sharing" else {})}
    source = trained(tmp_path, compression=own, backbone={**BACKBONE, "pooling": "cls"})
    asked = {"name": "bert", "source": source, **sections.get("backbone", {})}
    trial = made_trial(method={"name": "branchynet"}, **{**sections, "backbone": asked})
    with pytest.raises(InputError, match=told):
        epoch_flops(trial, prepare_data(made_trial().settings))


def test_the_exit_of_the_metric_is_one_of_the_model_that_is_scored() -> None:
    sections = {"compression": {"name": "layer_pruning"}, "method": {"name": "layerdrop", "exits": "all"}}
    trial = made_trial(metric={"exit": 2}, **sections)
    with TrialRun(trial, prepare_data(trial.settings)) as run:
        record = next(iter(run))
    assert [score.exit for score in record.exits] == [1, 2]
    assert record.score == record.exits[1].metrics["accuracy"]
    trial = made_trial(metric={"exit": 3}, **sections)
    with pytest.raises(InputError, match=r"metric\.exit is 3, .* are 1, 2 "):
        TrialRun(trial, prepare_data(trial.settings))
