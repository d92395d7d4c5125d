"""Removing parts of a model for good: what is left is a smaller model like any other."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from greenexp.compression.factorised import FactorisedEmbedding
from greenexp.compression.int8_modules import hold_in_int8
from greenexp.compression.zeros import matrices, prune_to
from greenexp.errors import InputError
from greenexp.model.multi_exit import MultiExitModel
from greenexp.records.form import Cut, Form, Kept


def reduced(model: MultiExitModel, cut: Cut, exits: Sequence[int]) -> tuple[MultiExitModel, tuple[int, ...]]:
    """A copy of `model` of which only what `cut` says is left, and which of its exits are those of `exits`.

    The copy is in evaluation mode and on the same device; `model` stays as it is. Where layers go, an exit on one of
    them moves to the last layer below it that stays, and of several there the highest of `exits` remains.
    Raises InputError where the encoder cannot be cut so.
    """
    smaller = copy.deepcopy(model).eval()
    for parameter in smaller.parameters():
        parameter.grad = None
    reduce_backbone(smaller.backbone, cut)
    numbers, layers = _placed(model.exit_layers, exits, cut.layers)
    settings = model.settings
    if cut.layers is not None:
        settings = dataclasses.replace(settings.with_backbone(layers=len(cut.layers)), layers=layers)
    settings = dataclasses.replace(settings, form=_form(settings.form, cut))
    heads = [smaller.head(number) for number in numbers]
    return MultiExitModel(smaller.backbone, heads, layers, model.num_labels, settings, smaller.learned).eval(), _left(
        numbers, exits
    )


def exits_left(exit_layers: Sequence[int], exits: Sequence[int], cut: Cut | None) -> tuple[int, ...]:
    """Which exits of the model that `cut` leaves are those of `exits`, as `reduced` numbers them.

    exit_layers: of the exits of the whole model. Raises InputError as `reduced`.
    """
    return tuple(exits) if cut is None else _left(_placed(exit_layers, exits, cut.layers)[0], exits)


def reduce_backbone(backbone: Any, cut: Cut) -> None:
    """Remove from `backbone` itself what `cut` leaves out. Raises InputError where it cannot be cut so."""
    if cut.heads is not None or cut.units is not None:
        _narrow(backbone, cut.heads, cut.units)
    if cut.layers is not None:
        if not cut.layers or cut.layers[-1] > backbone.num_layers:
            raise InputError(f"layers {list(cut.layers)} of an encoder of {backbone.num_layers}")
        backbone.keep_layers(cut.layers)
    if cut.zeros is not None:
        for weight in matrices(backbone):
            prune_to(weight, cut.zeros)
    for kind in cut.int8:
        for module in backbone.part_modules(kind):
            hold_in_int8(module, tables=kind == "embeddings")


def take_form(form: Form, backbone: Any) -> None:
    """Give a backbone without weights the form in which its weights were saved. Raises InputError if it cannot be."""
    for name, counts in (("heads", form.heads), ("units", form.units)):
        if counts is not None and len(counts) != backbone.num_layers:
            raise InputError(f"{name} of {len(counts)} layers for an encoder of {backbone.num_layers}")
    share_weights(backbone, form)
    reduce_backbone(backbone, form.of_blank())


def share_weights(backbone: Any, form: Form) -> None:
    """Let the layers of `backbone` share weights in groups and its embeddings be a product, as `form` says.

    A group starts from the mean of its layers. Raises InputError where the encoder cannot be put into this form.
    """
    if form.groups is not None:
        backbone.share_layers(form.groups)
    if form.embedding_size is not None:
        owner, name = backbone.token_table()
        table = getattr(owner, name)
        if not isinstance(table, nn.Embedding) or form.embedding_size > table.embedding_dim:
            wide = getattr(table, "embedding_dim", None)
            raise InputError(f"embedding_size {form.embedding_size}: the token embeddings have width {wide}")
        setattr(owner, name, FactorisedEmbedding.of(table, form.embedding_size))


def _narrow(backbone: Any, heads: Kept | None, units: Kept | None) -> None:
    for index in range(backbone.num_layers):
        parts = backbone.layer_parts(index)
        size = parts.value.out_features // parts.heads
        if heads is not None:
            rows = torch.tensor([head * size + place for head in heads[index] for place in range(size)])
            for linear in (parts.query, parts.key, parts.value):
                _keep_rows(linear, rows)
            _keep_columns(parts.attention_output, rows)
            parts.set_heads(len(heads[index]), len(rows))
        if units is not None:
            _keep_rows(parts.inner, torch.tensor(units[index]))
            _keep_columns(parts.outer, torch.tensor(units[index]))
        backbone.narrowed[index] = (parts.value.out_features, parts.inner.out_features)


def _keep_rows(linear: nn.Linear, rows: torch.Tensor) -> None:
    linear.weight = nn.Parameter(linear.weight.detach()[rows.to(linear.weight.device)].clone())
    if linear.bias is not None:
        linear.bias = nn.Parameter(linear.bias.detach()[rows.to(linear.bias.device)].clone())
    linear.out_features = len(rows)


def _keep_columns(linear: nn.Linear, columns: torch.Tensor) -> None:
    linear.weight = nn.Parameter(linear.weight.detach()[:, columns.to(linear.weight.device)].clone())
    linear.in_features = len(columns)


def _placed(
    exit_layers: Sequence[int], exits: Sequence[int], kept: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(numbers of the exits that remain, their layers in the smaller model)."""
    if kept is None:
        return tuple(range(1, len(exit_layers) + 1)), tuple(exit_layers)
    found: dict[int, int] = {}
    for number, layer in enumerate(exit_layers, start=1):
        below = [place for place, one in enumerate(kept, start=1) if one <= layer]
        if below and (number in exits or found.get(below[-1], 0) not in exits):
            found[below[-1]] = number
    if len(kept) not in found:
        raise InputError(f"layers {list(kept)} stay, and no exit lies on the last of them or above")
    return tuple(found[layer] for layer in sorted(found)), tuple(sorted(found))


def _left(numbers: Sequence[int], exits: Sequence[int]) -> tuple[int, ...]:
    return tuple(place for place, number in enumerate(numbers, start=1) if number in exits)


def _form(before: Form | None, cut: Cut) -> Form | None:
    """The form after `cut`, which `Form.of_blank` gives a new model."""
    form = before or Form()
    stay = range(len(cut.heads or cut.units or ())) if cut.layers is None else [layer - 1 for layer in cut.layers]
    counts = {
        name: tuple(len(kept[index]) for index in stay)
        for name, kept in (("heads", cut.heads), ("units", cut.units))
        if kept is not None
    }
    if cut.layers is not None:
        for name in ("heads", "units"):
            own = getattr(form, name)
            if name not in counts and own is not None:
                counts[name] = tuple(own[layer - 1] for layer in cut.layers)
    form = dataclasses.replace(form, **counts, int8=tuple(dict.fromkeys((*form.int8, *cut.int8))))  # type: ignore[arg-type]
    return None if form == Form() else form
