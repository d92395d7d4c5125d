"""Which exits are asked, under which policy, and what is refused before anything is served."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch

from greenexp.errors import InputError
from greenexp.exits.policies.base import ExitOutput, Policy
from greenexp.exits.policies.static import Static
from greenexp.model import MultiExitModel, Serving
from greenexp.replay.serving_policy import stepped_exits


def consulted_exits(trained: Sequence[int], step: int, policy: Policy) -> tuple[int, ...]:
    """Every `step`-th of the trained exits, counted from the first, and the last; of them what the policy looks at.

    That is all of them, but `static` knows beforehand where it leaves. Raises InputError for step < 1.
    """
    chosen = stepped_exits(trained, step)
    if not isinstance(policy, Static):
        return chosen
    return (next((number for number in chosen if policy.exit is not None and number >= policy.exit), chosen[-1]),)


def trained_exits(model: MultiExitModel, exits: Iterable[int] | None, known: tuple[int, ...] | None) -> tuple[int, ...]:
    """The exits that may be asked: `exits`, or for None those `known` to be trained, or all.

    Raises InputError for exits the model does not have or that are known to be untrained.
    """
    wanted = (model.exits if known is None else known) if exits is None else tuple(exits)
    if not wanted or list(wanted) != sorted(set(wanted)) or wanted[0] < 1 or wanted[-1] > model.num_exits:
        raise InputError(f"exits {list(wanted)}: expected ascending numbers from 1 to {model.num_exits}, each once")
    untrained = [] if known is None else sorted(set(wanted) - set(known))
    if untrained:
        raise InputError(f"exits {untrained} of this model were not trained; those that were: {list(known or ())}")
    return wanted


def check_serving(model: MultiExitModel, serving: Serving) -> None:
    """Raises InputError where names or padding do not fit the model."""
    names, vocabulary = serving.label_names, model.backbone.vocab_size
    if names and model.num_labels > 1 and len(names) != model.num_labels:
        raise InputError(f"{len(names)} label names for a model with {model.num_labels} classes")
    if model.backbone.reads == "texts" and not 0 <= serving.pad_id < vocabulary:
        raise InputError(f"the padding id {serving.pad_id} is not in the model's vocabulary of {vocabulary} tokens")


def refuse_images(model: MultiExitModel, why: str) -> None:
    """Raises InputError for a model of images, with what cannot be done with it."""
    if model.backbone.reads == "images":
        raise InputError(f"this model reads images: {why}")


def check_policy(policy: Policy, exit_number: int, model: MultiExitModel) -> None:
    """Let the policy decide on one made-up example: what it needs and cannot have it says itself, now and not later.

    Raises its InputError: for regression where it wants classes, for labels, for a learned exit module.
    """
    learned = None if model.learned is None else torch.zeros(1)
    policy.stream().decide(ExitOutput(exit_number, torch.zeros(1, model.num_labels), learned))


def checked_temperatures(model: MultiExitModel, given: Mapping[int, float]) -> dict[int, float]:
    """Exit number -> temperature. Raises InputError for regression, unknown exits and what is not above 0."""
    if given and model.num_labels == 1:
        raise InputError("temperatures calibrate probabilities of classes, and this model predicts a number")
    for number, temperature in given.items():
        if number not in model.exits:
            raise InputError(f"a temperature for exit {number}: this model has exits 1 to {model.num_exits}")
        with np.errstate(over="ignore"):
            divisor = np.float32(temperature)  # what logits are divided by
        if not (np.isfinite(divisor) and divisor > 0):
            raise InputError(f"the temperature of exit {number} is {temperature}: expected a number above 0")
    return {number: float(temperature) for number, temperature in given.items()}
