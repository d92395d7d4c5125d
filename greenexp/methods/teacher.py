"""Teachers: trained models of other sweeps, asked and never changed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from torch import nn

from greenexp.errors import InputError, about_field
from greenexp.journal.chosen_model import chosen_model
from greenexp.methods.base import TrialShape
from greenexp.model import MultiExitModel, load_model, load_serving
from greenexp.records.manifests import MODEL_MANIFEST


class Teacher(NamedTuple):
    """model: in evaluation mode, frozen; exit: the number of its last trained exit, whose answers are taught."""

    model: MultiExitModel
    exit: int


def load_teacher(source: str, shape: TrialShape) -> Teacher:
    """The model that `source` names: the chosen one of a sweep's folder, or that of a model's own.

    Raises InputError, of the field `method.teacher`, where there is none or it has other classes than the trial.
    """
    with about_field("method.teacher"):
        folder = chosen_model(Path(source))
        teacher = _loaded(str(folder), (folder / MODEL_MANIFEST).stat().st_mtime_ns)
        if teacher.model.num_labels != shape.num_labels:
            has = teacher.model.num_labels
            raise InputError(f"{source} was trained with {has} labels, and the task has {shape.num_labels}")
    return teacher


@lru_cache(maxsize=2)
def _loaded(folder: str, _written_ns: int) -> Teacher:
    """The same model for all trials of a process: nobody may change it."""
    model = load_model(folder)
    serving = load_serving(folder)
    exits = model.exits if serving is None else serving.trained_exits
    return Teacher(model.requires_grad_(False), exits[-1])


def spread(count: int, of: int) -> tuple[int, ...]:
    """`count` layer numbers, from 1, evenly spread over `of` layers, the first and the last included.

    1 + round(i (of - 1) / (count - 1)), halves up: of 12 layers 1, 3, 5, 8, 10, 12, as DistilBERT's official code.
    """
    if count == 1:
        return (of,)
    return tuple(1 + int(index * (of - 1) / (count - 1) + 0.5) for index in range(count))


def start_from(student: MultiExitModel, teacher: Teacher, layers: tuple[int, ...], method: str) -> None:
    """Give the student the teacher's embeddings and pooler, layer by layer those of `layers`, and its last head.

    Raises InputError where the two differ in more than the number of layers.
    """
    there = teacher.model.backbone
    pairs = [
        (own, his)
        for kind in ("embeddings", "pooler")
        for own, his in zip(student.backbone.part_modules(kind), there.part_modules(kind), strict=False)
    ]
    own_layers, his_layers = student.backbone.layer_list(), there.layer_list()
    if own_layers is None or his_layers is None or len(own_layers) != len(layers):
        raise InputError(f"{method}: a student starts from its teacher's layers, and these share weights or have none")
    pairs += [(own, his_layers[number - 1]) for own, number in zip(own_layers, layers, strict=True)]
    head = teacher.model.head(teacher.exit)
    pairs += [(student.head(number), head) for number in student.exits]
    for own, his in pairs:
        _copy(own, his, method)


def _copy(own: nn.Module, his: nn.Module, method: str) -> None:
    mine, theirs = own.state_dict(), his.state_dict()
    if {name: value.shape for name, value in mine.items()} != {name: value.shape for name, value in theirs.items()}:
        raise InputError(f"{method}: the student starts from its teacher's weights, and these have other shapes")
    own.load_state_dict(theirs)
