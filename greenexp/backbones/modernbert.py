"""ModernBERT (Warner et al. 2024) and the Ettin encoders (Weller et al. 2025), on transformers' own model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from transformers import ModernBertModel
from transformers.masking_utils import create_bidirectional_sliding_window_mask
from transformers.models.bert.modeling_bert import BertPooler

from greenexp.backbones.base import EncoderState
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.encoder import LibraryEncoder, Size
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.products import attention_products
from greenexp.errors import InputError
from greenexp.records.costs import BlockCost, MatmulCost

GLOBAL, LOCAL = "full_attention", "sliding_attention"
_OF_THE_LENGTH = ("dynamic", "longrope")
"""Kinds of rotary angles that depend on how long the batch is, so that an answer would depend on its neighbours."""


class PooledModernBert(ModernBertModel):
    """The library's encoder, which has no pooler, with one of BERT's."""

    def __init__(self, config: Any, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.post_init()


class ModernBertBackbone(LibraryBackbone):
    """Pre-norm layers with rotary positions; some attend to all tokens, the others to a window around each.

    A state's positions: cosines and sines of the global layers, those of the local ones (None for a kind that no layer
    is of), and the local layers' mask, None where every token lies in every window and nothing is padded.
    """

    stacks = True

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """See `Backbone.regroup`."""
        state = super().regroup(hidden, attention_mask)
        window = self._window(hidden, attention_mask, state.mask)
        return dataclasses.replace(state, positions=(*self._angles(hidden), window))

    def kept(self, state: EncoderState, rows: Tensor, length: int, *, padded: bool) -> EncoderState:
        """See `Backbone.kept`."""
        after = super().kept(state, rows, length, padded=padded)
        *angles, window = state.positions
        angles = [None if angle is None else angle[:, :length] for angle in angles]
        if after.mask is None:
            window = self._window(after.hidden, None, None)
        elif window is state.mask:
            window = after.mask
        elif window is not None:
            window = window[:, :, :length, :length].index_select(0, rows)
        return dataclasses.replace(after, positions=(*angles, window))

    def seen(self, state: EncoderState) -> Tensor:
        """See `Backbone.seen`."""
        normed: Tensor = state.hidden if state.normed else self.model.final_norm(state.hidden)
        return normed

    def layer(self, index: int, state: EncoderState) -> EncoderState:
        """See `Backbone.layer`; as in the library, the last layer's states have been through the final norm."""
        after = super().layer(index, state)
        if index < self.num_layers - 1:
            return after
        return dataclasses.replace(after, hidden=self.model.final_norm(after.hidden), normed=True)

    def layer_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.layer_parameters`; the final norm is among them."""
        return chain(self.model.layers.parameters(), self.model.final_norm.parameters())

    def own_layers(self) -> nn.ModuleList | None:
        """See `Backbone.own_layers`; which of them are local is a matter of their places."""
        layers: nn.ModuleList = self.model.layers
        return layers

    def token_table(self) -> tuple[nn.Module, str]:
        """See `Backbone.token_table`."""
        return self.model.embeddings, "tok_embeddings"

    def shorten(self, model: Any, layers: int) -> None:
        """See `LibraryBackbone.shorten`."""
        model.layers = model.layers[:layers]

    def _layer_modules(self) -> nn.Module:
        return self.model.layers

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        layer = self.model.layers[index]
        global_cos, global_sin, local_cos, local_sin, window = state.positions
        is_local = layer.attention_type == LOCAL
        angles = (local_cos, local_sin) if is_local else (global_cos, global_sin)
        # In two halves, as BERT's.
        attended, _ = layer.attn(
            layer.attn_norm(state.hidden),
            position_embeddings=angles,
            attention_mask=window if is_local else state.mask,
        )
        hidden = state.hidden + attended
        after: Tensor = hidden + layer.mlp(layer.mlp_norm(hidden))
        return after

    def _angles(self, hidden: Tensor) -> tuple[Tensor | None, ...]:
        """[1, token, head size] each: cosines and sines of the global layers, then of the local ones."""
        places = torch.arange(hidden.shape[1], device=hidden.device).unsqueeze(0)
        found: list[Tensor | None] = []
        for kind in (GLOBAL, LOCAL):
            used = kind in self.model.config.layer_types
            found += self.model.rotary_emb(hidden, places, kind) if used else (None, None)
        return tuple(found)

    def _window(self, hidden: Tensor, attention_mask: Tensor | None, mask: Tensor | None) -> Tensor | None:
        """The local layers' mask; `mask`, the global ones', where no distance between two tokens leaves the window."""
        config = self.model.config
        if LOCAL not in config.layer_types:
            return None
        if not torch.compiler.is_exporting() and hidden.shape[1] - 1 <= config.sliding_window:
            return mask
        window: Tensor | None = create_bidirectional_sliding_window_mask(
            config=config, inputs_embeds=hidden, attention_mask=attention_mask
        )
        return window

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        width, inside = self.hidden_size, self.model.config.intermediate_size
        tokens = batch_size * length
        return (
            MatmulCost(3 * 2 * tokens * width**2),  # query, key, value
            *attention_products(batch_size, length, width),
            MatmulCost(2 * tokens * width**2, inner=True),  # attention output
            MatmulCost(2 * tokens * width * 2 * inside, inner=True),  # values and gates
            MatmulCost(2 * tokens * inside * width, inner=True),
        )


@dataclass(frozen=True)
class ModernBert(LibraryEncoder):
    """ModernBERT encoder, from a checkpoint or randomly initialised (truncated normal, standard deviation 0.02).

    Source: Warner et al., arXiv 2412.13663, 2024; the Ettin encoders (Weller et al., arXiv 2507.11412, 2025) are
    ModernBERT of other sizes, from 7 to 28 layers. It has no token types and no pooler: with `pooling: pooler` a new
    one, dense + tanh over the first token, is trained, and the results say so.
    Layers are pre-norm, and a norm follows the last one: every exit sees the states after its layer through that same
    norm, as it would if its layer were the last.
    Every third layer, from the first, attends to all tokens, the others to `window` // 2 tokens on either side. The
    window restricts what is attended to and saves nothing here: scores of all pairs are computed and masked, so all are
    counted. No two tokens of a text of at most `window` // 2 + 1 tokens (65 in the published checkpoints) are kept
    apart. In longer texts the first token reaches the end through the global layers alone (layers 1, 4, 7, ...): an
    exit after layers 2 or 3 of a text sees, with `cls` or `pooler`, no more of its far end than one after layer 1;
    place exits after global layers, or pool by `mean`.
    Without a source: 22 layers, hidden 768, 12 heads, intermediate 1.5 x hidden, 8,192 positions, dropout 0.

    window: tokens that a local layer attends to; only without a source. None: 128
    global_every: one in how many layers attends to all tokens, from the first; only without a source. None: 3
    """

    window: Size | None = None
    global_every: Size | None = None

    family = "modernbert"
    new_model = PooledModernBert
    source_model = PooledModernBert
    driver = ModernBertBackbone
    brings_pooler = False
    usual_shape = (22, 768, 12)
    shape_fields = (*LibraryEncoder.shape_fields, "window", "global_every")
    dropout_settings = ("attention_dropout", "mlp_dropout", "embedding_dropout")

    def _check_shape(self) -> None:
        super()._check_shape()
        _, hidden, heads = self._shape
        if hidden // heads % 2:
            raise InputError(
                f"modernbert: hidden ({hidden}) / heads ({heads}) must be even: rotary angles are in pairs"
            )

    def _sizes(self) -> dict[str, Any]:
        layers, hidden, _ = self._shape
        every = self.global_every or 3
        own = {
            "intermediate_size": self.intermediate or 3 * hidden // 2,
            "max_position_embeddings": self.max_positions or 8_192,
            "local_attention": self.window or 128,
            "layer_types": [LOCAL if index % every else GLOBAL for index in range(layers)],
        }
        special = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"))
        return {**super()._sizes(), **own, **special}

    def _source_config(self, checkpoint: Checkpoint) -> Any:
        config = super()._source_config(checkpoint)
        kinds = {str((settings or {}).get("rope_type")) for settings in config.rope_parameters.values()}
        if refused := sorted(kinds & set(_OF_THE_LENGTH)):
            raise InputError(
                f"backbone source '{checkpoint.source}' has rotary angles of type {', '.join(refused)}, which depend "
                "on the length of a batch: not supported"
            )
        return config

    def _cut(self, config: Any, layers: int) -> None:
        super()._cut(config, layers)
        config.layer_types = config.layer_types[:layers]
