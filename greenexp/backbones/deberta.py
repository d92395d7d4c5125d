"""DeBERTa-v2 (He et al. 2021) and DeBERTa-v3 (He et al. 2023), on transformers' own model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DebertaV2Model
from transformers.models.deberta_v2.modeling_deberta_v2 import ContextPooler

from greenexp.backbones.base import EncoderState, TokenBatch
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.encoder import LibraryEncoder, Size
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.products import attention_products
from greenexp.errors import InputError
from greenexp.records.costs import BlockCost, MatmulCost


class PooledDeberta(DebertaV2Model):
    """The library's encoder with the pooler that its classifiers have."""

    def __init__(self, config: Any, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.pooler = ContextPooler(config) if add_pooling_layer else None
        self.post_init()


class DebertaBackbone(LibraryBackbone):
    """Disentangled attention: content attends to content, content to relative positions, positions to content.

    A state's positions: the bucket of every pair of tokens, [1, token, token], and the table of the buckets' vectors,
    through its norm; nothing without relative positions.
    """

    attentions = ("eager",)

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """See `Backbone.regroup`."""
        encoder = self.model.encoder
        positions = (encoder.get_rel_pos(hidden), self._table()) if encoder.relative_attention else ()
        if attention_mask is None or (not torch.compiler.is_exporting() and bool(attention_mask.all())):
            return EncoderState(hidden, positions=positions)
        real = attention_mask.bool()
        # Rows of padding attend to nothing, as in the library.
        return EncoderState(hidden, real[:, None, :, None] & real[:, None, None, :], real, positions)

    def kept(self, state: EncoderState, rows: Tensor, length: int, *, padded: bool) -> EncoderState:
        """See `Backbone.kept`."""
        after = super().kept(state, rows, length, padded=padded)
        if not state.positions:
            return after
        buckets, table = state.positions
        cut = None if buckets is None else buckets[:, :length, :length]
        return dataclasses.replace(after, positions=(cut, table))

    def layer_list(self) -> nn.ModuleList | None:
        """See `Backbone.layer_list`; none where a convolution belongs to the first layer."""
        return None if self.model.encoder.conv is not None else super().layer_list()

    def own_layers(self) -> nn.ModuleList | None:
        """See `Backbone.own_layers`."""
        layers: nn.ModuleList = self.model.encoder.layer
        return layers if self.num_groups is None else None

    def position_tables(self) -> tuple[nn.Parameter, ...]:
        """See `Backbone.position_tables`."""
        encoder = self.model.encoder
        return tuple(encoder.rel_embeddings.parameters()) if encoder.relative_attention else ()

    def _table(self) -> Tensor:
        """[2 x buckets, hidden]: vectors of relative positions."""
        encoder = self.model.encoder
        weight: Tensor = encoder.rel_embeddings.weight
        if not torch.is_grad_enabled():
            weight = weight.detach()  # torch's counter of FLOPs fails on a parameter that a module takes as its input
        return encoder.LayerNorm(weight) if "layer_norm" in encoder.norm_rel_ebd else weight

    def _embedded(self, batch: TokenBatch) -> Tensor:
        types = {"token_type_ids": batch.token_type_ids} if self.reads_types else {}
        embedded: Tensor = self.model.embeddings(input_ids=batch.input_ids, mask=batch.attention_mask, **types)
        return embedded

    def _projected(self, embedded: Tensor) -> Tensor:
        return embedded  # the library's embeddings project themselves

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        layer, hidden = self.model.encoder.layer[index], state.hidden
        buckets, table = state.positions or (None, None)
        # The library masks in any case.
        mask = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=hidden.device) if state.mask is None else state.mask
        # In two halves, as BERT's.
        attended, _ = layer.attention(hidden, mask, relative_pos=buckets, rel_embeddings=table)
        after: Tensor = layer.output(layer.intermediate(attended), attended)
        if index == 0 and self.model.encoder.conv is not None:
            real = hidden.new_ones(hidden.shape[:2]) if state.padding is None else state.padding
            after = self.model.encoder.conv(hidden, after, real.long())
        return after

    def _embedding_widths(self) -> tuple[int, int] | None:
        inside = self.model.embeddings.embedding_size
        return None if inside == self.hidden_size else (inside, self.hidden_size)

    def _all_layers(self, batch_size: int, length: int) -> tuple[BlockCost, ...]:
        first, *others = super()._all_layers(batch_size, length)
        if (convolved := self.model.encoder.conv) is None:
            return (first, *others)
        kernel = convolved.conv.weight
        return ((*first, MatmulCost(2 * batch_size * length * kernel.numel())), *others)

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        width, inside = self.hidden_size, self.model.config.intermediate_size
        tokens = batch_size * length
        return (
            MatmulCost(3 * 2 * tokens * width**2),  # query, key, value
            *attention_products(batch_size, length, width),
            *self._position_products(batch_size, length),
            MatmulCost(2 * tokens * width**2, inner=True),  # attention output
            MatmulCost(2 * tokens * width * inside, inner=True),
            MatmulCost(2 * tokens * inside * width, inner=True),
        )

    def _position_products(self, batch_size: int, length: int) -> BlockCost:
        """The table through each layer's projections, once per batch, and its products with queries and keys."""
        attention = self.model.encoder.layer[0].attention.self
        if not attention.relative_attention:
            return ()
        rows, width = 2 * attention.pos_ebd_size, self.hidden_size
        products: list[MatmulCost] = []
        for kind in ("c2p", "p2c"):
            used = kind in attention.pos_att_type
            if used or attention.share_att_key:  # with shared projections the library makes both
                products.append(MatmulCost(2 * rows * width**2, table=True, unread=not used))
            if used:
                products.append(
                    MatmulCost(2 * batch_size * length * rows * width, weight=False, inner=True, table=True)
                )
        return tuple(products)


@dataclass(frozen=True)
class Deberta(LibraryEncoder):
    """DeBERTa-v2 or -v3 encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: He et al., ICLR 2021, and He et al., ICLR 2023 (v3: the same encoder, pretrained as ELECTRA's
    discriminator). With `pooling: pooler` the pooler of the library's classifiers, dense + GELU over the first token; a
    checkpoint that is no classifier has none, so a new one is trained, and the results say so.
    Relative positions are found once per batch and passed from layer to layer. Each layer projects the table of
    buckets, 2 x `buckets` rows, once per batch and whatever the texts' lengths: 4 x buckets x hidden^2 FLOPs for each
    of its two kinds, which a single short text pays in full. These are counted, as they are computed. No window limits
    the attention: what is saved by leaving early is the same share of FLOPs at every length.
    There is one implementation of its attention, `eager`; the field `attention` changes nothing. The first version of
    DeBERTa (model type `deberta`) has other layers and is refused. A convolution beside the first layer (v2-xlarge and
    -xxlarge) is computed and counted.
    Without a source, as v3: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions, dropout 0.1,
    projections shared with the content's, no absolute positions, no token types.

    buckets: of relative distances on either side, near ones one by one and far ones logarithmically; only without a
        source. None: 256
    """

    buckets: Size | None = None

    family = "deberta"
    library_type = "deberta-v2"
    new_model = PooledDeberta
    source_model = PooledDeberta
    driver = DebertaBackbone
    brings_pooler = False
    shape_fields = (*LibraryEncoder.shape_fields, "buckets")

    def _source_config(self, checkpoint: Checkpoint) -> Any:
        config = super()._source_config(checkpoint)
        heads, width = config.num_attention_heads, config.hidden_size
        size = getattr(config, "attention_head_size", width // heads)
        if size * heads != width:
            raise InputError(
                f"backbone source '{checkpoint.source}' has {heads} attention heads of {size} units, which are not its "
                f"{width} hidden units: its own library cannot compute it"
            )
        return config

    def _sizes(self) -> dict[str, Any]:
        own = {
            "type_vocab_size": 0,
            "relative_attention": True,
            "position_buckets": self.buckets or 256,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_biased_input": False,
        }
        return {**super()._sizes(), **own}
