"""Teachers: of every family, with untrained layers on top, with other classes or words than the student's."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from encoder_families import FAMILIES
from made_settings import made_model_settings
from taught_trials import HEAD, SIZES, STEPS, trial

from greenexp.backbones.base import TokenBatch
from greenexp.errors import InputError
from greenexp.methods.base import MicroBatch, StepContext, TrialShape
from greenexp.methods.pricing import passes_flops
from greenexp.methods.teacher import load_teacher
from greenexp.model import MultiExitModel, Serving, build_model, save_model
from greenexp.records.sections import MethodChoice

SHARED = "albert"
WORDS = {"[PAD]": 0, "good": 1, "bad": 2}
SERVING = Serving("", ("neg", "pos"), 12, 0, False, (1, 2, 3, 4), "clauses")
LIKE = TrialShape((1, 2, 3, 4), 4, 2, epochs=1)


def of_family(name: str, seed: int, layers: int = 4) -> MultiExitModel:
    backbone = {"name": name, "layers": layers, **SIZES, **FAMILIES[name]}
    if name in {"modernbert", "deberta", "mpnet"}:
        del backbone["attention"]
    return build_model(made_model_settings(backbone=backbone, exits=HEAD), 2, 30, 0, seed)


def stirred(model: MultiExitModel) -> MultiExitModel:
    """No weight is zero or one as it was made."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def inputs() -> TokenBatch:
    ids = torch.randint(4, 30, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:], ids[1, 5:] = 0, 0
    return TokenBatch(ids, mask)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != SHARED])
@pytest.mark.parametrize("method", ["distillation", "theseus"])
def test_a_student_with_all_of_its_teachers_layers_answers_as_it_does(name: str, method: str, tmp_path: Path) -> None:
    teacher = stirred(of_family(name, 5))
    save_model(teacher, tmp_path)
    model = of_family(name, 1, 2 if method == "theseus" else 4).eval()
    fields: dict[str, Any] = {"initial": "first"} if method == "distillation" else {"layers": 2, "rate": 0, "until": 1}
    shape = TrialShape(model.exit_layers, model.backbone.num_layers, 2, epochs=4, seed=3, steps=STEPS, hidden_size=12)
    run: Any = MethodChoice(name=method, teacher=str(tmp_path), **fields).plugin().begin(shape)
    run.initialise(model)
    batch = inputs()
    with torch.no_grad():
        expected = teacher(batch, (4,))[0]
        if method == "theseus":
            context = StepContext(model, 1, 0, [], lambda _: None)
            found = run.mixed(context, MicroBatch(batch, torch.zeros(3), 1.0), (1, 2))[-1]
        else:
            found = model(batch, (4,))[0]
    assert torch.equal(found, expected)


def test_layers_that_share_weights_are_no_start(tmp_path: Path) -> None:
    save_model(of_family(SHARED, 5), tmp_path)
    with pytest.raises(InputError, match=r"method\.teacher: theseus: .* no weights of their own"):
        trial({"name": "theseus", "layers": 2}, tmp_path)


@pytest.fixture
def half_trained(tmp_path: Path) -> Path:
    """A teacher of four layers of which the upper two were never trained."""
    save_model(stirred(of_family("bert", 5)), tmp_path / "half", dataclasses.replace(SERVING, trained_exits=(1, 2)))
    return tmp_path / "half"


@pytest.mark.parametrize(
    ("fields", "layers"),
    [
        ({"name": "distillation", "layers": 2}, (1, 2)),
        ({"name": "pkd", "layers": 2, "initial": "spread"}, (1, 2)),
        ({"name": "theseus", "layers": 1, "rate": 0.0, "until": 1.0}, (1,)),
        ({"name": "tinybert", "layers": 2, "initial": "first"}, (1, 2)),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_untrained_layers_above_the_last_trained_exit_teach_nothing(
    fields: dict[str, Any], layers: tuple[int, ...], half_trained: Path, make_batch: Any
) -> None:
    found = trial(fields, half_trained)
    teacher = load_teacher(str(half_trained), LIKE)
    his = teacher.model.backbone.layer_list()
    for own, number in zip(found.model.backbone.layer_list(), layers, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(own.parameters(), his[number - 1].parameters(), strict=True))
    batch = make_batch((5, 9))
    found.run.step(found.context(batch))
    if fields["name"] == "theseus":
        shape = tuple(batch[0].inputs.input_ids.shape)
        whole = passes_flops(
            teacher.model, None, shape, [dataclasses.replace(found.run.passes(1, 0)[0], exits=(2,), foreign=())]
        )
        assert passes_flops(found.model, teacher.model, shape, found.run.passes(1, 0)) == whole
        with torch.no_grad():
            mixed = found.run.mixed(found.context(batch), batch[0], (1,))[-1]
            assert torch.allclose(mixed, teacher.model(batch[0].inputs, (2,))[0])


@pytest.mark.parametrize("fields", [{"name": "distillation", "layers": 3}, {"name": "pkd", "layers": 3}])
def test_no_student_has_more_layers_than_were_trained(fields: dict[str, Any], half_trained: Path) -> None:
    with pytest.raises(InputError, match="3 layers of a teacher of 2"):
        trial(fields, half_trained)


def word_tokenizer(ids: dict[str, int], form: str = "WordLevel", length: int = 12) -> str:
    vocabulary: Any = ids if form == "WordLevel" else [[word, -1.0] for word in sorted(ids, key=ids.__getitem__)]
    model = {"type": form, "vocab": vocabulary}
    return json.dumps({"model": model, "truncation": {"max_length": length}, "added_tokens": []})


@pytest.mark.parametrize("form", ["WordLevel", "Unigram"])
def test_a_teacher_reads_the_students_words_and_means_its_classes(form: str, tmp_path: Path) -> None:
    save_model(of_family("bert", 5), tmp_path, dataclasses.replace(SERVING, tokenizer=word_tokenizer(WORDS, form)))
    own = dataclasses.replace(LIKE, label_names=("neg", "pos"), tokenizer=word_tokenizer(WORDS, form, length=64))
    assert load_teacher(str(tmp_path), own).exit == 4
    assert load_teacher(str(tmp_path), dataclasses.replace(own, tokenizer="", label_names=())).exit == 4
    with pytest.raises(InputError, match=r"method\.teacher.* neg, pos, .* pos, neg"):
        load_teacher(str(tmp_path), dataclasses.replace(own, label_names=("pos", "neg")))
    other = word_tokenizer({"[PAD]": 0, "good": 2, "bad": 1}, form)
    with pytest.raises(InputError, match=r"method\.teacher.*vocabulary"):
        load_teacher(str(tmp_path), dataclasses.replace(own, tokenizer=other))
