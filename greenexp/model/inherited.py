"""An encoder that goes on from a trained model of another sweep, in the form that the model was saved in."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from greenexp.compression.zeros import matrices
from greenexp.errors import InputError, about_field
from greenexp.journal.chosen_model import chosen_model
from greenexp.journal.origins import ENCODER
from greenexp.model.manifest import read_manifest, verify_files
from greenexp.model.reduction import take_form
from greenexp.records.form import Form
from greenexp.records.settings import ModelSettings

_MANY_ZEROS = 0.05
"""Share of zeros in the layers' matrices from which on somebody has put them there."""


def inherited_encoder(settings: ModelSettings, source: str, vocab_size: int, pad_id: int) -> tuple[Any, ModelSettings]:
    """The encoder of the model that `source` means, on the CPU, and `settings` with its form and pooling.

    Its heads are left behind. Raises InputError where it cannot be trained on as `settings` want it.
    """
    with about_field(ENCODER):
        folder = chosen_model(Path(source))
        manifest = read_manifest(folder)
        verify_files(folder, manifest)
        saved = ModelSettings.from_json(manifest["settings"])
        _check(settings, saved, source)
        plugin = saved.backbone.plugin()
        backbone = plugin.load(folder) if saved.form is None else plugin.load(folder, partial(take_form, saved.form))
        if vocab_size > backbone.vocab_size:
            raise InputError(f"the data has {vocab_size} token ids, {source} {backbone.vocab_size}")
        if plugin.needs_own_pad_id and pad_id != backbone.model.config.pad_token_id:
            own = backbone.model.config.pad_token_id
            raise InputError(f"the data is padded with {pad_id}, {source} with {own}")
        form = _shortened(backbone, saved.form, settings.backbone.options.get("layers"), source)
        pooling = _pooled(backbone, settings.backbone.options.get("pooling"), source)
    backbone.notes = (f"the encoder goes on from {source}", *_zeros(backbone))
    return backbone, dataclasses.replace(settings.with_backbone(pooling=pooling), form=form or settings.form)


def _check(settings: ModelSettings, saved: ModelSettings, source: str) -> None:
    if saved.backbone.name != settings.backbone.name:
        raise InputError(f"{source} holds a {saved.backbone.name}: write `name: {saved.backbone.name}`")
    if saved.form is not None and saved.form.int8:
        raise InputError(
            f"{source} holds weights in 8 bits, which do not train: go on from a model without compression int8, and "
            "add `compression: {name: int8}` to this sweep"
        )
    if saved.form is not None and settings.form is not None:
        raise InputError(
            f"compression: {source} holds a compressed model: its layers and embeddings cannot be shared or factorised"
        )
    if settings.backbone.options.get("dropout") is not None:
        raise InputError(f"backbone.dropout: {source} brings its own: leave it out")


def _shortened(backbone: Any, form: Form | None, layers: int | None, source: str) -> Form | None:
    """Leave the first `layers` layers (None: all); the form that is left."""
    if layers is None or layers == backbone.num_layers:
        return form
    if layers > backbone.num_layers:
        raise InputError(f"{source} has {backbone.num_layers} layers, not {layers}")
    if form is not None and form.groups is not None:
        raise InputError(f"the layers of {source} share weights: all {backbone.num_layers} of them stay, not {layers}")
    backbone.keep_layers(tuple(range(1, layers + 1)))
    if form is None:
        return None
    heads, units = (None if each is None else each[:layers] for each in (form.heads, form.units))
    return dataclasses.replace(form, heads=heads, units=units)


def _pooled(backbone: Any, wanted: str | None, source: str) -> str:
    """Let exits see what they should; what that is."""
    pooling: str = wanted or backbone.pooling
    if pooling == "pooler" != backbone.pooling:
        raise InputError(f"backbone.pooling: {source} has no pooler: choose cls or mean")
    if pooling != "pooler":
        backbone.drop_pooler()
    backbone.pooling = pooling
    return pooling


def _zeros(backbone: Any) -> tuple[str, ...]:
    weights = matrices(backbone)
    share = sum(int((weight == 0).sum()) for weight in weights) / max(sum(weight.numel() for weight in weights), 1)
    if share < _MANY_ZEROS:
        return ()
    return (f"{share:.1%} of its layers' matrices were zero at the start; only magnitude_pruning keeps them so",)
