"""The way from a trial's settings to its method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from greenexp.methods import METHODS
from greenexp.methods.base import Method


def method_of(settings: Mapping[str, Any]) -> Method:
    """The method that `settings["method"]` names, with its hyperparameters."""
    fields = dict(settings["method"])
    return METHODS[str(fields.pop("name"))](**fields)


def adapted(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """`settings` with what the method demands of backbone and exits: the model is built from these."""
    return method_of(settings).adapt(settings)
