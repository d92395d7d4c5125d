"""MobileBERT (Sun et al. 2020), on transformers' own model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import MobileBertModel

from greenexp.backbones.base import EncoderState
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.encoder import LibraryEncoder, Size
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.products import attention_products
from greenexp.errors import InputError
from greenexp.records.costs import BlockCost, MatmulCost


class MobileBertBackbone(LibraryBackbone):
    """Trigram embeddings, and layers that work in a bottleneck with several feed-forward networks."""

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        return self.model.encoder.layer[index](state.hidden, state.mask)

    def _embedding_widths(self) -> tuple[int, int] | None:
        config = self.model.config
        if not config.trigram_input and config.embedding_size == config.hidden_size:
            return None
        return config.embedding_size * (3 if config.trigram_input else 1), config.hidden_size

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        config, tokens = self.model.config, batch_size * length
        outside, inside = config.hidden_size, config.true_hidden_size
        shared, narrow = config.key_query_shared_bottleneck, config.use_bottleneck_attention
        # What comes out of a bottleneck went through weights of the layer; the hidden states themselves did not.
        squeezed = config.use_bottleneck and (shared or narrow)
        into = MatmulCost(2 * tokens * outside * inside)
        feed_forward = MatmulCost(2 * 2 * tokens * inside * config.intermediate_size, inner=True)
        return (
            *((into,) * (1 + (shared and not narrow)) if config.use_bottleneck else ()),
            MatmulCost(2 * 2 * tokens * inside**2, inner=squeezed),  # query, key
            MatmulCost(2 * tokens * (inside if narrow else outside) * inside, inner=config.use_bottleneck and narrow),
            *attention_products(batch_size, length, inside),
            MatmulCost(2 * tokens * inside**2, inner=True),  # attention output
            *(feed_forward,) * config.num_feedforward_networks,
            *((MatmulCost(2 * tokens * inside * outside, inner=True),) if config.use_bottleneck else ()),
        )


@dataclass(frozen=True)
class MobileBert(LibraryEncoder):
    """MobileBERT encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Sun et al., ACL 2020. The mapping of three neighbouring tokens to one embedding belongs to the embeddings.
    There the last token of an example would see the embedding of the padding after it, so that an answer would depend
    on what the example was batched with: where a source's padding embedding is not zero it is made zero, and the
    results say so.
    Without a source: 24 layers, hidden 512, 4 heads, intermediate 4 x bottleneck, 512 positions, dropout 0 of hidden
    states and 0.1 of attention probabilities.

    embedding_size: of token embeddings; only without a source. None: 128
    bottleneck: width in which a layer works; only without a source. None: 128
    feed_forwards: networks per layer; only without a source. None: 4
    pooler_dense: whether the pooler is dense + tanh over the first token (a new one if the source's has no weights) or
        that token alone. None: the source's own, or true
    """

    embedding_size: Size | None = None
    bottleneck: Size | None = None
    feed_forwards: Size | None = None
    pooler_dense: bool | None = None

    family = "mobilebert"
    new_model = MobileBertModel
    source_model = MobileBertModel
    driver = MobileBertBackbone
    needs_own_pad_id = True
    usual_shape = (24, 512, 4)
    shape_fields = (*LibraryEncoder.shape_fields, "embedding_size", "bottleneck", "feed_forwards")

    def _check_shape(self) -> None:
        heads, width = self._shape[2], self.bottleneck or 128
        if width % heads:
            raise InputError(f"mobilebert: bottleneck ({width}) must be a multiple of heads ({heads})")

    def _sizes(self) -> dict[str, Any]:
        width = self.bottleneck or 128
        own = {
            "intermediate_size": self.intermediate or 4 * width,
            "embedding_size": self.embedding_size or 128,
            "intra_bottleneck_size": width,
            "num_feedforward_networks": self.feed_forwards or 4,
            "classifier_activation": self.pooler_dense is not False,
        }
        return {**super()._sizes(), **own}

    def _source_config(self, checkpoint: Checkpoint) -> Any:
        config = super()._source_config(checkpoint)
        if self.pooler_dense is not None:
            config.classifier_activation = self.pooler_dense
        return config

    def _loaded(self, checkpoint: Checkpoint, config: Any) -> LibraryBackbone:
        backbone = super()._loaded(checkpoint, config)
        padding = backbone.model.embeddings.word_embeddings.weight[config.pad_token_id]
        if config.trigram_input and padding.any():
            with torch.no_grad():
                padding.zero_()
            backbone.notes += (f"the padding embedding of '{checkpoint.source}' was made zero",)
        return backbone
