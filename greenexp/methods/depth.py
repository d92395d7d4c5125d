"""Models of fewer layers than the backbone that the sweep file names."""

from __future__ import annotations

from dataclasses import replace

from greenexp.errors import InputError
from greenexp.methods.base import TrialShape
from greenexp.records.settings import ModelSettings


def cut_to(settings: ModelSettings, layers: int | None, method: str) -> ModelSettings:
    """The settings of the first `layers` layers, and the exits with them; None: all. Raises InputError if too many."""
    if layers is None:
        return settings
    depth = settings.backbone.options.get("layers")
    if depth is not None and depth < layers:
        raise InputError(f"{method}: layers: the first {layers} of a backbone of {depth} layers")
    exits = settings.layers
    if not isinstance(exits, str):
        exits = (*(layer for layer in exits if layer < layers), layers)
    return replace(settings.with_backbone(layers=layers), layers=exits)


def check_depth(shape: TrialShape, layers: int | None, method: str) -> None:
    """Raises InputError where the model was not built from the settings that `cut_to` gives."""
    if layers is not None and shape.num_layers != layers:
        raise InputError(
            f"{method}: layers: {layers}, but the model has {shape.num_layers}: build it from adapted settings"
        )
