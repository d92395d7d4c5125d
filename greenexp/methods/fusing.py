"""Which trials can be trained with other seeds of theirs as one stacked model."""

from __future__ import annotations

from greenexp.methods.base import MethodRun
from greenexp.model import MultiExitModel
from greenexp.model.stacked import why_not_stacked
from greenexp.records.settings import NO_COMPRESSION, Settings

_BY_DEFAULT = ("step", "descend", "logits", "prepare", "parameters", "split", "state_dict")


def why_not_fused(settings: Settings, run: MethodRun, model: MultiExitModel) -> tuple[str, str] | None:
    """(section, why) where several seeds of these settings cannot be trained as one; None where they can.

    They can where a step is one forward pass, the method's own `loss` of the logits, one backward pass and the update:
    then the passes are made for all seeds together, and each seed's run is asked for its loss alone. The model may be
    on the meta device.
    """
    own = [name for name in _BY_DEFAULT if getattr(type(run), name) is not getattr(MethodRun, name)]
    if own:
        return "method", f"a step of {type(run).__name__} is more than a loss of one forward pass's logits ({own[0]})"
    if run.teacher is not None:
        return "method", f"{type(run).__name__} asks a teacher model"
    if settings.compression != NO_COMPRESSION:
        return "compression", f"`{settings.compression.name}` changes the weights of each seed apart"
    return why_not_stacked(model)
