"""The way from a trial's settings to its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenexp.methods import METHODS
from greenexp.methods.base import Method, TrialShape
from greenexp.model import MultiExitModel
from greenexp.tasks.tokens import TokenisedTask


def method_of(settings: Mapping[str, Any]) -> Method:
    """The method that `settings["method"]` names, with its hyperparameters."""
    fields = dict(settings["method"])
    return METHODS[str(fields.pop("name"))](**fields)


def adapted(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """`settings` with what the method demands of backbone and exits: the model is built from these."""
    return method_of(settings).adapt(settings)


def trial_shape(model: MultiExitModel, data: TokenisedTask, epochs: int, seed: int) -> TrialShape:
    """What the method may know of a trial of `model` on `data`; seed: of the order of examples."""
    return TrialShape(
        exit_layers=model.exit_layers,
        num_layers=model.backbone.num_layers,
        num_labels=data.num_labels,
        epochs=epochs,
        seed=seed,
        hidden_size=model.backbone.hidden_size,
        train_tokens=int(data.train.lengths.sum()),
        reads_earlier=any(model.head(number).reads_earlier for number in model.exits),
    )
