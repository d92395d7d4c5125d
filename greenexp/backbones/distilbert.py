"""DistilBERT (Sanh et al. 2019), on transformers' own model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import DistilBertModel
from transformers.models.bert.modeling_bert import BertPooler

from greenexp.backbones.base import EncoderState
from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.parts import LayerParts
from greenexp.backbones.products import layer_products
from greenexp.records.costs import BlockCost


class PooledDistilBert(DistilBertModel):
    """The library's encoder, which has no pooler, with one of BERT's."""

    def __init__(self, config: Any, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.post_init()


class DistilBertBackbone(LibraryBackbone):
    """BERT's layers under other names."""

    stacks = True

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        # In two halves, as BERT's.
        layer = self.model.transformer.layer[index]
        attended = layer.sa_layer_norm(layer.attention(state.hidden, attention_mask=state.mask)[0] + state.hidden)
        return layer.output_layer_norm(layer.ffn.ff_chunk(attended) + attended)

    def layer_parts(self, index: int) -> LayerParts:
        """See `LibraryBackbone.layer_parts`."""
        if self.num_groups is not None:
            return super().layer_parts(index)
        layer = self.model.transformer.layer[index]
        return LayerParts(
            query=layer.attention.q_lin,
            key=layer.attention.k_lin,
            value=layer.attention.v_lin,
            attention_output=layer.attention.out_lin,
            inner=layer.ffn.lin1,
            outer=layer.ffn.lin2,
            attention=layer.attention,
            heads_field="n_heads",
        )

    def shorten(self, model: Any, layers: int) -> None:
        """See `LibraryBackbone.shorten`."""
        model.transformer.layer = self._first_layers(model.transformer.layer, layers)

    def _layer_modules(self) -> nn.Module:
        return self.model.transformer

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        return layer_products(batch_size, length, self.hidden_size, self.model.config.hidden_dim)


@dataclass(frozen=True)
class DistilBert(LibraryEncoder):
    """DistilBERT encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Sanh et al., arXiv 1910.01108, 2019. It has no token types and no pooler: with `pooling: pooler` a new one,
    dense + tanh over the first token, is trained, and the results say so.
    Without a source: 6 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions, dropout 0.1.
    """

    family = "distilbert"
    new_model = PooledDistilBert
    source_model = PooledDistilBert
    driver = DistilBertBackbone
    brings_pooler = False
    usual_shape = (6, 768, 12)
    dropout_settings = ("dropout", "attention_dropout")

    def _sizes(self) -> dict[str, Any]:
        sizes = super()._sizes()
        sizes["hidden_dim"] = sizes.pop("intermediate_size")
        return sizes
