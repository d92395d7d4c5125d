"""Which trials can be trained with other seeds of theirs as one stacked model."""

from __future__ import annotations

from collections.abc import Iterator

from greenexp.methods.base import MethodRun
from greenexp.model import MultiExitModel
from greenexp.model.stacked import why_not_stacked
from greenexp.records.settings import NO_COMPRESSION, Settings

_BY_DEFAULT = ("step", "descend", "logits", "prepare", "parameters", "split", "state_dict")


def why_not_fused(settings: Settings, run: MethodRun, model: MultiExitModel) -> tuple[tuple[str, str], ...]:
    """(section, why) for each section for which several seeds of these settings cannot be trained as one.

    They can where a step is one forward pass, the method's own `loss` of the logits, one backward pass and the update:
    then the passes are made for all seeds together, and each seed's run is asked for its loss alone. The model may be
    on the meta device.
    """
    return (*_of_method(run), *_of_compression(settings), *_of_training(settings), *why_not_stacked(model))


def _of_method(run: MethodRun) -> Iterator[tuple[str, str]]:
    own = [name for name in _BY_DEFAULT if getattr(type(run), name) is not getattr(MethodRun, name)]
    if own:
        yield "method", f"a step of {type(run).__name__} is more than a loss of one forward pass's logits ({own[0]})"
    elif run.teacher is not None:
        yield "method", f"{type(run).__name__} asks a teacher model"


def _of_training(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.training.compile:
        yield "training", "the layers of each seed are compiled apart"


def _of_compression(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.compression != NO_COMPRESSION:
        yield "compression", f"`{settings.compression.name}` changes the weights of each seed apart"
