"""Methods with a teacher of another sweep: losses, starting weights, FLOPs, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from made_settings import made_model_settings
from method_cases import Trial
from torch.utils.flop_counter import FlopCounterMode

from greenexp.errors import InputError
from greenexp.methods.base import MicroBatch, TrialShape
from greenexp.methods.pkd import paired_layers
from greenexp.methods.pricing import passes_flops
from greenexp.methods.teacher import spread
from greenexp.model import MultiExitModel, build_model, save_model
from greenexp.objectives import exit_losses
from greenexp.objectives.knowledge import patient_loss, soft_targets
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
]


def built(layers: int, seed: int, labels: int = 2) -> MultiExitModel:
    return build_model(
        made_model_settings(backbone={"name": "bert", "layers": layers, **SIZES}, exits=HEAD), labels, 30, 0, seed
    )


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    save_model(built(4, seed=5), tmp_path / "teacher")
    return tmp_path / "teacher"


def trial(fields: dict[str, Any], teacher: Path, *, labels: int = 2) -> Trial:
    method = MethodChoice(**fields, teacher=str(teacher)).plugin()
    settings = method.adapt(made_model_settings(backbone={"name": "bert", **SIZES}, exits=HEAD))
    model = build_model(settings, labels, vocab_size=30, pad_id=0, seed=1)
    shape = TrialShape(model.exit_layers, model.backbone.num_layers, labels, epochs=4, seed=3, steps=STEPS)
    run = method.begin(shape)
    run.initialise(model)
    run.teacher.double()
    stage = run.stage(1)
    model.double().train().train_only(stage.parts, stage.exits)
    return Trial(model, run)


@pytest.fixture(autouse=True)
def forget_teachers() -> None:
    """A test makes its teacher float64; no other one may get that."""
    from greenexp.methods.teacher import _loaded

    _loaded.cache_clear()


def test_distillation_is_its_formula(teacher: Path, make_batch) -> None:
    found, batch = trial({"name": "distillation", "layers": 2, "alpha": 0.3}, teacher), make_batch((6, 8))
    total = found.run.step(found.context(batch))
    expected = sum(
        micro.share
        * (
            0.7 * exit_losses(logits := found.model(micro.tokens, (2,)), micro.labels).mean()
            + 0.3 * soft_targets(logits, found.run.teacher(micro.tokens, (4,))[0].detach(), 2.0).mean()
        )
        for micro in batch
    )
    found.check_step(total, expected)


def test_pkd_is_its_formula(teacher: Path, make_batch) -> None:
    found, batch = trial({"name": "pkd", "layers": 3, "beta": 7.0}, teacher), make_batch((6,))
    total, tokens, seen = found.run.step(found.context(batch)), batch[0].tokens, {}
    taught = found.run.teacher.outputs(tokens, (4,), visit=lambda layer, state: seen.setdefault(layer, state.hidden))
    own: dict[int, torch.Tensor] = {}
    logits = found.model.outputs(tokens, (3,), visit=lambda layer, state: own.setdefault(layer, state.hidden)).logits[0]
    states = [torch.stack((hidden[a][:, 0], hidden[b][:, 0]), 1) for hidden, a, b in ((own, 1, 2), (seen, 1, 3))]
    expected = (
        0.5 * exit_losses(logits[None], batch[0].labels).mean()
        + 0.5 * soft_targets(logits[None], taught.logits[0], 10.0).mean()
        + 7.0 * patient_loss(states[0], states[1])
    )
    found.check_step(total, expected)


def test_the_mixed_model_of_theseus(teacher: Path, make_batch) -> None:
    found, batch = trial(TAUGHT[4], teacher), make_batch((6,))
    tokens = batch[0].tokens
    for kept, layers in (((1,), "tts"), ((2,), "stt"), ((), "ss"), ((1, 2), "tttt")):
        state, places = found.model.backbone.embed(tokens), {"s": 0, "t": 0}
        for who in layers:
            backbone = found.model.backbone if who == "s" else found.run.teacher.backbone
            index = places[who] if who == "s" or layers != "stt" else places["t"] + 2
            state = backbone.layer(index if layers != "tts" or who == "t" else 1, state)
            places[who] += 1
        mixed = found.run.mixed(found.context(batch), batch[0], kept)
        assert torch.equal(mixed[0], found.model.exit_logits(2, state)), kept


def test_theseus_replaces_more_and_more(teacher: Path) -> None:
    linear = trial({**TAUGHT[4], "schedule": "linear", "rate": 0.25, "until": 0.5}, teacher).run
    assert [linear.rate(step) for step in (0, 10, 20, 39)] == [0.25, 0.625, 1.0, 1.0]
    constant = trial({**TAUGHT[4], "until": 0.5}, teacher).run
    assert [constant.rate(step) for step in (0, 19, 20)] == [0.5, 0.5, 1.0]
    assert {constant.kept(step) for step in range(20)} == {(), (1,), (2,), (1, 2)}
    assert {constant.kept(step) for step in range(20, 40)} == {()}


@pytest.mark.parametrize("fields", TAUGHT, ids=lambda fields: " ".join(map(str, fields.values())))
def test_declared_passes_of_student_and_teacher_equal_the_counter(fields, teacher: Path, make_batch) -> None:
    found = trial(fields, teacher)
    batch: list[MicroBatch] = make_batch((5, 9))
    for step in range(4):
        with FlopCounterMode(display=False) as counter:
            found.run.step(found.context(batch, step=step))
        found.model.zero_grad()
        passes = found.run.passes(1, step)
        shapes = [tuple(micro.tokens.input_ids.shape) for micro in batch]
        expected = sum(passes_flops(found.model, found.run.teacher, shape, passes) for shape in shapes)
        assert expected == counter.get_total_flops() > 0


def test_where_students_start(teacher: Path) -> None:
    found = trial({"name": "distillation", "layers": 2}, teacher)
    own, his = found.model.backbone.layer_list(), found.run.teacher.backbone.layer_list()
    for mine, theirs in zip(own, (his[0], his[3]), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    assert spread(6, 12) == (1, 3, 5, 8, 10, 12)
    assert spread(1, 6) == (6,)


def test_the_layers_that_pkd_pairs() -> None:
    assert [his for _, his in paired_layers(6, 12, "skip")] == [2, 4, 6, 8, 10]
    assert [his for _, his in paired_layers(6, 12, "last")] == [7, 8, 9, 10, 11]
    with pytest.raises(InputError, match="2 to 4"):
        paired_layers(1, 4, "skip")


def test_teachers_that_do_not_fit(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"method\.teacher.*nowhere"):
        trial(TAUGHT[0], tmp_path / "nowhere")
    with pytest.raises(InputError, match="2 labels, and the task has 3"):
        trial(TAUGHT[0], teacher, labels=3)
    with pytest.raises(InputError, match="does not divide a predecessor of 4"):
        trial({"name": "theseus", "layers": 3}, teacher)
