"""From a trial's settings to a model with its initial weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from greenexp.backbones.base import Backbone
from greenexp.errors import FieldError, InputError
from greenexp.exits import HEADS
from greenexp.exits.base import ExitHead, ExitPlace
from greenexp.exits.learned import LearnedExit
from greenexp.journal.origins import encoder_source
from greenexp.meters.flops import block_flops
from greenexp.model.inherited import inherited_encoder
from greenexp.model.multi_exit import MultiExitModel
from greenexp.model.reduction import share_weights
from greenexp.records.settings import ModelSettings

_SHARES = (0.15, 0.30, 0.45, 0.60, 0.75, 0.90)
_TYPICAL_LENGTH = {"texts": 128, "images": 32 * 32}
"""Tokens, or pixels, at which shares of FLOPs are taken; they hardly depend on it."""


def build_model(
    settings: ModelSettings, num_labels: int, vocab_size: int, pad_id: int, seed: int, device: str = "cpu"
) -> MultiExitModel:
    """The model that `settings` describe, initialised from `seed` alone.

    Equal arguments give equal weights, on the CPU and on any GPU, and torch's random state is left as it was:
    everything is drawn on the CPU and then moved to `device`. The heads have a stream of their own, so that their
    weights do not depend on the encoder; the whole encoder, or what its source lacks, has another.
    With `device="meta"` nothing is drawn or read beyond config files: enough for prices and parameter counts.

    Raises InputError when the fields contradict each other, the source or the data.
    """
    if num_labels < 1:
        raise InputError(f"num_labels is {num_labels}: at least 1 (1 for regression)")
    on_meta = str(device) == "meta"
    with _drawn_from(seed, stream=0):
        backbone, settings = _encoder(settings, vocab_size, pad_id, on_meta=on_meta)
    exit_layers = placed_exits(settings.layers, backbone)
    with _drawn_from(seed, stream=1), torch.device("meta" if on_meta else "cpu"):
        heads, learned = build_exits(settings, exit_layers, backbone, num_labels)
    for head, layer in zip(heads, exit_layers, strict=True):
        head.start_from(backbone.pooler_for(layer))
    is_read = learned is not None or any(head.reads_pooled or head.reads_earlier for head in heads)
    if backbone.reads == "texts" and not is_read:
        backbone.drop_pooler()
        settings = settings.with_backbone(pooling="cls")
    model = MultiExitModel(backbone, heads, exit_layers, num_labels, settings, learned)
    return model if on_meta else model.to(device)


def _encoder(settings: ModelSettings, vocab_size: int, pad_id: int, *, on_meta: bool) -> tuple[Backbone, ModelSettings]:
    """The encoder, and the settings with what a trained model that it goes on from says of it."""
    device = "meta" if on_meta else "cpu"
    plugin, shared = settings.backbone.plugin(), settings.form
    source = None if getattr(plugin, "reads_saved", False) else encoder_source(settings.backbone)
    backbone: Backbone
    if source is None:
        backbone = plugin.build(vocab_size, pad_id, device)
    else:
        backbone, settings = inherited_encoder(settings, source, vocab_size, pad_id)
        backbone = backbone.to(device)
    if shared is not None:
        share_weights(backbone, shared)
    return backbone, settings


def build_exits(
    settings: ModelSettings, exit_layers: Sequence[int], backbone: Backbone, num_labels: int
) -> tuple[list[ExitHead], LearnedExit | None]:
    """New heads, one per exit, and the learning-to-exit module if `settings` ask for it.

    On the current default device and from its generator.
    """
    plugin = settings.head.plugin()
    maps = backbone.reads == "images"
    places = (
        ExitPlace(backbone.width_at(layer), num_labels, number, layer, len(exit_layers), backbone.vocab_size, maps)
        for number, layer in enumerate(exit_layers, start=1)
    )
    if maps and not getattr(plugin, "reads_maps", False):
        fitting = ", ".join(name for name in HEADS if getattr(HEADS[name], "reads_maps", False))
        raise FieldError("exits.head", f"{settings.head.name} reads tokens, not images: write one of {fitting}")
    heads = [plugin.build(place) for place in places]
    return heads, LearnedExit(backbone.hidden_size) if settings.learned else None


def placed_exits(layers: str | Sequence[int], backbone: Backbone) -> tuple[int, ...]:
    """The layer of each exit from the sweep file's `exits.layers`: `all`, or numbers from 1 that include the last.

    `by_flops`: those that end nearest to 15, 30, 45, 60, 75 and 90 % of the encoder's FLOPs, and the last (Kaya et
    al. 2019; at ResNet-56 the blocks of the official code).
    """
    num_layers = backbone.num_layers
    if layers == "all":
        return tuple(range(1, num_layers + 1))
    if layers == "by_flops":
        return _at_shares(backbone)
    numbers = () if isinstance(layers, str) else tuple(layers)
    if not numbers or list(numbers) != sorted(set(numbers)) or numbers[0] < 1 or numbers[-1] != num_layers:
        raise InputError(
            f"exits.layers: {layers!r}: expected 'all' or rising layer numbers from 1 that end with {num_layers}, "
            "the backbone's last layer"
        )
    return numbers


def _at_shares(backbone: Backbone) -> tuple[int, ...]:
    """Rising layers, each once: two shares may be nearest to the end of one layer."""
    costs = backbone.matmuls(1, _TYPICAL_LENGTH[backbone.reads])
    ends = np.cumsum([block_flops(costs.embeddings), *map(block_flops, costs.layers)])
    places = {1 + int(np.abs(ends[1:] / ends[-1] - share).argmin()) for share in _SHARES}
    return tuple(sorted(places | {backbone.num_layers}))


@contextmanager
def _drawn_from(seed: int, stream: int) -> Iterator[None]:
    """The CPU generator seeded with (seed, stream) inside, and as it was afterwards."""
    state = np.random.SeedSequence((seed, stream)).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: it would seed every GPU's generator too, and fork_rng would not put those back.
        torch.default_generator.manual_seed(int(state) >> 1)
        yield
