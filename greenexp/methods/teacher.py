"""Teachers: trained models of other sweeps, asked and never changed."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from greenexp.backbones.base import Backbone
from greenexp.errors import InputError, about_field
from greenexp.journal.chosen_model import chosen_model
from greenexp.methods.base import TrialShape
from greenexp.model import MultiExitModel, load_model, load_serving
from greenexp.records.manifests import MODEL_MANIFEST


class Teacher(NamedTuple):
    """model: in evaluation mode, frozen; exit: the number of its last trained exit, whose answers are taught.

    label_names: in the order of its classes, empty for regression; tokenizer: as JSON text; empty where not known
    """

    model: MultiExitModel
    exit: int
    label_names: tuple[str, ...] = ()
    tokenizer: str = ""

    @property
    def depth(self) -> int:
        """The layers that its answers take: those above its last trained exit have learned nothing."""
        return self.model.exit_layers[self.exit - 1]


def load_teacher(source: str, shape: TrialShape) -> Teacher:
    """The model that `source` names: the chosen one of a sweep's folder, or that of a model's own.

    Raises InputError, of the field `method.teacher`, where there is none, or its classes or the words behind its token
    ids are others than the trial's.
    """
    with about_field("method.teacher"):
        folder = chosen_model(Path(source))
        teacher = _loaded(str(folder), (folder / MODEL_MANIFEST).stat().st_mtime_ns)
        if teacher.model.num_labels != shape.num_labels:
            has = teacher.model.num_labels
            raise InputError(f"{source} was trained with {has} labels, and the task has {shape.num_labels}")
        if teacher.label_names and shape.label_names and teacher.label_names != shape.label_names:
            his, own = (", ".join(names) for names in (teacher.label_names, shape.label_names))
            raise InputError(
                f"{source} was trained on the classes {his}, in this order, and the task has {own}: it would teach "
                "one class as another; give the task the teacher's names in the teacher's order"
            )
        if teacher.tokenizer and shape.tokenizer and _ids(teacher.tokenizer) != _ids(shape.tokenizer):
            raise InputError(
                f"{source} reads token ids by another vocabulary than the task's, so that they mean other words to it; "
                "a tokeniser that is made of the training texts is that of the same examples alone: train the teacher "
                "on these, or start both from the same backbone source"
            )
    return teacher


@lru_cache(maxsize=8)
def _ids(tokenizer: str) -> Mapping[str, int]:
    """Token -> id of a tokeniser, as JSON text."""
    found: dict[str, Any] = json.loads(tokenizer)
    words = found["model"].get("vocab", {})
    ids = dict(words) if isinstance(words, dict) else {str(word): place for place, (word, *_) in enumerate(words)}
    return ids | {str(added["content"]): int(added["id"]) for added in found.get("added_tokens") or ()}


@lru_cache(maxsize=2)
def _loaded(folder: str, _written_ns: int) -> Teacher:
    """The same model for all trials of a process: nobody may change it."""
    model = load_model(folder)
    serving = load_serving(folder)
    model.requires_grad_(False)
    if serving is None:
        return Teacher(model, model.exits[-1])
    return Teacher(model, serving.trained_exits[-1], serving.label_names, serving.tokenizer)


def spread(count: int, of: int) -> tuple[int, ...]:
    """`count` layer numbers, from 1, evenly spread over `of` layers, the first and the last included.

    1 + round(i (of - 1) / (count - 1)), halves up: of 12 layers 1, 3, 5, 8, 10, 12, as DistilBERT's official code.
    """
    if count == 1:
        return (of,)
    return tuple(1 + int(index * (of - 1) / (count - 1) + 0.5) for index in range(count))


def start_from(student: MultiExitModel, teacher: Teacher, layers: tuple[int, ...], method: str) -> None:
    """Give the student, layer by layer, those of `layers` of the teacher, what lies beside these, and its last head.

    Beside the layers lie embeddings, pooler (where both have one), tables of relative positions, and norms.
    Raises InputError where the two differ in more than the number of layers.
    """
    check_start(teacher, method)
    own_layers, his_layers = student.backbone.own_layers(), teacher.model.backbone.own_layers()
    if own_layers is None or his_layers is None or len(own_layers) != len(layers):
        raise InputError(f"{method}: a student starts from its teacher's layers, and its own are other ones")
    theirs = teacher.model.backbone
    poolers = all(any(True for _ in one.pooler_parameters()) for one in (student.backbone, theirs))
    own_rest, his_rest = (
        _beside(one, layers, pooler=poolers) for one, layers in ((student.backbone, own_layers), (theirs, his_layers))
    )
    _copy(own_rest, his_rest, method)
    pairs = [(own, his_layers[number - 1]) for own, number in zip(own_layers, layers, strict=True)]
    head = teacher.model.head(teacher.exit)
    pairs += [(student.head(number), head) for number in student.exits]
    for own, his in pairs:
        _copy(own.state_dict(), his.state_dict(), method)


def check_start(teacher: Teacher, method: str) -> None:
    """Raises InputError where no student can start from the teacher's layers."""
    if teacher.model.backbone.own_layers() is None:
        raise InputError(
            f"method.teacher: {method}: a student starts from layers of its teacher, and this one's have no weights of "
            "their own; write `initial: backbone`, if the method has it, or another teacher"
        )


def _beside(backbone: Backbone, layers: nn.ModuleList, *, pooler: bool) -> dict[str, Tensor]:
    """Name -> parameter or buffer of what lies beside the layers; pooler: whether that of the pooler does."""
    inside = {id(one) for one in itertools.chain(layers.parameters(), layers.buffers())}
    inside |= set() if pooler else {id(one) for one in backbone.pooler_parameters()}
    every = itertools.chain(backbone.named_parameters(), backbone.named_buffers())
    return {name: one for name, one in every if id(one) not in inside}


def _copy(own: Mapping[str, Tensor], his: Mapping[str, Tensor], method: str) -> None:
    if {name: value.shape for name, value in own.items()} != {name: value.shape for name, value in his.items()}:
        raise InputError(f"{method}: the student starts from its teacher's weights, and these have other shapes")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(his[name])
