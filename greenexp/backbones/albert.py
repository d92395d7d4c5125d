"""ALBERT (Lan et al. 2020), on transformers' own model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import AlbertModel

from greenexp.backbones.base import EncoderState
from greenexp.backbones.encoder import LibraryEncoder, Size
from greenexp.backbones.library import LibraryBackbone
from greenexp.backbones.parts import no_parts
from greenexp.backbones.products import layer_products
from greenexp.errors import InputError
from greenexp.records.costs import BlockCost


class AlbertBackbone(LibraryBackbone):
    """Factorised embeddings, and layers that share the weights of their group: counted once, computed every time."""

    stacks = True

    def drop_pooler(self) -> None:
        """See `Backbone.drop_pooler`."""
        super().drop_pooler()
        self.model.pooler_activation = None

    def keep_layers(self, numbers: Sequence[int]) -> None:
        """See `LibraryBackbone.keep_layers`: with one group of layers fewer are applied."""
        if len(self.model.encoder.albert_layer_groups) > 1:
            raise no_parts(self.model.config.model_type)
        self._renumbered(numbers)

    def shorten(self, model: Any, layers: int) -> None:
        """See `LibraryBackbone.shorten`."""
        cut(model.config, layers)

    def _projected(self, embedded: Tensor) -> Tensor:
        return self.model.encoder.embedding_hidden_mapping_in(embedded)

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        groups, hidden = self.model.encoder.albert_layer_groups, state.hidden
        for layer in groups[int(index / (self.num_layers / len(groups)))].albert_layers:
            # In two halves, as BERT's.
            attended, _ = layer.attention(hidden, state.mask)
            hidden = layer.full_layer_layer_norm(layer.ff_chunk(attended) + attended)
        return hidden

    def _pooled(self, hidden: Tensor) -> Tensor:
        return self.model.pooler_activation(self.model.pooler(hidden[:, 0]))

    def _embedding_modules(self) -> tuple[nn.Module, ...]:
        return (self.model.embeddings, self.model.encoder.embedding_hidden_mapping_in)

    def _layer_modules(self) -> nn.Module:
        return self.model.encoder.albert_layer_groups

    def _embedding_widths(self) -> tuple[int, int] | None:
        return self.model.config.embedding_size, self.hidden_size

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        config = self.model.config
        inner = (
            layer_products(batch_size, length, self.hidden_size, config.intermediate_size, below=number > 0)
            for number in range(config.inner_group_num)
        )
        return sum(inner, start=())


@dataclass(frozen=True)
class Albert(LibraryEncoder):
    """ALBERT encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Lan et al., ICLR 2020. Layers share their weights, in groups of adjacent ones; parameters are counted once,
    FLOPs in every layer. The mapping from the embeddings' size to the hidden size belongs to the embeddings. Its pooler
    is dense + tanh over the first token.
    Without a source: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions, dropout 0.

    embedding_size: of token, position and type embeddings; only without a source. None: 128
    groups: how many groups of layers have weights of their own; only without a source. None: 1
    """

    embedding_size: Size | None = None
    groups: Size | None = None

    family = "albert"
    new_model = AlbertModel
    source_model = AlbertModel
    driver = AlbertBackbone
    shape_fields = (*LibraryEncoder.shape_fields, "embedding_size", "groups")

    def _check_shape(self) -> None:
        super()._check_shape()
        if (self.groups or 1) > self._shape[0]:
            raise InputError(f"albert: {self.groups} groups of {self._shape[0]} layers")

    def _sizes(self) -> dict[str, Any]:
        own = {"embedding_size": self.embedding_size or 128, "num_hidden_groups": self.groups or 1}
        return {**super()._sizes(), **own}

    def _cut(self, config: Any, layers: int) -> None:
        """See `cut`."""
        cut(config, layers)


def cut(config: Any, layers: int) -> None:
    """Make `config` that of its first `layers` layers, each of which keeps its group.

    The library spreads the groups evenly over the layers there are. Raises InputError where that cannot be.
    """
    in_group = config.num_hidden_layers / config.num_hidden_groups
    if layers > in_group and layers % in_group:
        raise InputError(f"albert: layers ({layers}): the source's groups have {in_group:g} layers; cut between them")
    config.num_hidden_groups = max(1, int(layers / in_group))
    config.num_hidden_layers = layers
