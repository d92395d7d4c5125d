"""BERT (Devlin et al. 2019): transformers' own embeddings, layers and pooler, driven one layer at a time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import BertModel

from greenexp.backbones.base import EncoderState
from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.parts import LayerParts


class BertBackbone(LibraryBackbone):
    """A library BertModel, or one whose layers are made in the same way."""

    stacks = True

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        # The layer's own two halves: calling the whole inspects a Python signature every time, which takes 1 to 3 % of
        # a short example. A half of another shape would raise no error in SDPA without a mask: the tests look at that.
        layer = self.model.encoder.layer[index]
        attended, _ = layer.attention(state.hidden, state.mask)
        return layer.output(layer.intermediate(attended), attended)

    def compiled_parts(self) -> tuple[nn.Module, ...]:
        """See `Backbone.compiled_parts`: what `_advanced` calls."""
        layers = self.model.encoder.layer
        return tuple(part for layer in layers for part in (layer.attention, layer.intermediate, layer.output))

    def layer_parts(self, index: int) -> LayerParts:
        """See `LibraryBackbone.layer_parts`."""
        if self.num_groups is not None:
            return super().layer_parts(index)
        layer = self.model.encoder.layer[index]
        own = layer.attention.self
        return LayerParts(
            query=own.query,
            key=own.key,
            value=own.value,
            attention_output=layer.attention.output.dense,
            inner=layer.intermediate.dense,
            outer=layer.output.dense,
            attention=own,
            heads_field="num_attention_heads",
            width_field="all_head_size",
        )


@dataclass(frozen=True)
class Bert(LibraryEncoder):
    """BERT encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Devlin et al., NAACL 2019. Its pooler is dense + tanh over the first token.
    Without a source: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions, dropout 0.1.
    """

    family = "bert"
    new_model = BertModel
    source_model = BertModel
    driver = BertBackbone
