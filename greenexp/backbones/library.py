"""What all backbones made of transformers' models have in common: embedding, masks, pooling, saving."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.masking_utils import create_bidirectional_mask

from greenexp.backbones.base import Backbone, EncoderState, TokenBatch
from greenexp.backbones.checkpoints import pooler_layer, quiet_library
from greenexp.backbones.parts import LayerParts, no_parts
from greenexp.backbones.products import layer_products
from greenexp.errors import InputError
from greenexp.records.costs import BlockCost, EncoderCosts, MatmulCost

Pooling = Literal["pooler", "cls", "mean"]


class LibraryBackbone(Backbone):
    """`embeddings -> create_bidirectional_mask -> one layer after the other` of a library model.

    model: an encoder of transformers, with a `pooler` (None for none)
    pooling: what `pool` gives
    new_pooler: whether the pooler was drawn here because the encoder came with none: nothing to start from
    attentions: the library's implementations of its attention
    """

    attentions: ClassVar[tuple[str, ...]] = ("sdpa", "eager")

    def __init__(self, model: Any, pooling: Pooling, notes: tuple[str, ...] = (), *, new_pooler: bool = False) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.notes = notes
        self.num_layers = model.config.num_hidden_layers
        self.hidden_size = model.config.hidden_size
        self.max_length = model.config.max_position_embeddings
        self.vocab_size = model.config.vocab_size
        self._new_pooler = new_pooler
        self.narrowed = {}
        self.num_groups: int | None = None

    def embed(self, batch: TokenBatch) -> EncoderState:
        """See `Backbone.embed`."""
        length = batch.input_ids.shape[1]
        if length > self.max_length:
            raise InputError(f"a sequence of {length} tokens: this backbone has {self.max_length} positions")
        return self.regroup(self._projected(self._embedded(batch)), batch.attention_mask)

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """See `Backbone.regroup`."""
        if attention_mask is None:
            return EncoderState(hidden)
        mask = create_bidirectional_mask(config=self.model.config, inputs_embeds=hidden, attention_mask=attention_mask)
        # None comes back when nothing is padded after all.
        return EncoderState(hidden, mask, None if mask is None else attention_mask.bool())

    def layer(self, index: int, state: EncoderState) -> EncoderState:
        """See `Backbone.layer`."""
        hidden = self._advanced(self.weights_of(index), state)
        return EncoderState(hidden, state.mask, state.padding, state.positions)

    def weights_of(self, index: int) -> int:
        """Which of the layers' weights layer `index` computes with."""
        return index if self.num_groups is None else index * self.num_groups // self.num_layers

    def pool(self, state: EncoderState) -> Tensor:
        """See `Backbone.pool`."""
        hidden = self.seen(state)
        if self.pooling == "pooler":
            return self._pooled(hidden)
        if self.pooling == "cls":
            return hidden[:, 0]
        if state.padding is None:
            return hidden.mean(dim=1)
        tokens = state.padding.unsqueeze(-1).to(hidden.dtype)
        return (hidden * tokens).sum(dim=1) / tokens.sum(dim=1)

    def matmuls(self, batch_size: int, length: int) -> EncoderCosts:
        """See `Backbone.matmuls`."""
        dense = pooler_layer(self.model) if self.pooling == "pooler" else None
        widths = self._embedding_widths()
        owner, name = self.token_table()
        factors = getattr(getattr(owner, name), "widths", None)
        return EncoderCosts(
            embeddings=tuple(
                MatmulCost(2 * batch_size * length * math.prod(one), inner=True) for one in (factors, widths) if one
            ),
            layers=self._all_layers(batch_size, length),
            pooler=() if dense is None else (MatmulCost(2 * batch_size * self.hidden_size**2),),
        )

    def embedding_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.embedding_parameters`."""
        return chain.from_iterable(module.parameters() for module in self._embedding_modules())

    def layer_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.layer_parameters`."""
        return self._layer_modules().parameters()

    def pooler_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.pooler_parameters`."""
        return () if self.model.pooler is None else self.model.pooler.parameters()

    def pooler_for(self, layer: int) -> nn.Linear | None:  # noqa: ARG002 - the same for all
        """See `Backbone.pooler_for`."""
        return None if self._new_pooler else pooler_layer(self.model)

    def drop_pooler(self) -> None:
        """See `Backbone.drop_pooler`."""
        self.model.pooler = None
        if self.pooling == "pooler":
            self.pooling = "cls"

    @property
    def reads_types(self) -> bool:
        """Whether token types tell the segments of a pair apart: a table of one type, or none, cannot."""
        return getattr(self.model.config, "type_vocab_size", 0) > 1

    def shorten(self, model: Any, layers: int) -> None:
        """Leave only the first `layers` layers in a copy of the library model, each shared one as often as it runs."""
        model.encoder.layer = self._first_layers(model.encoder.layer, layers)

    def layer_parts(self, index: int) -> LayerParts:  # noqa: ARG002 - some families have them
        """See `Backbone.layer_parts`."""
        raise no_parts(self.model.config.model_type)

    def keep_layers(self, numbers: Sequence[int]) -> None:
        """See `Backbone.keep_layers`."""
        layers = self.layer_list()
        if layers is None or self.num_groups is not None:
            raise no_parts(self.model.config.model_type)
        kept = nn.ModuleList([layers[number - 1] for number in numbers])
        self._set_layer_list(kept)
        self._renumbered(numbers)

    def layer_list(self) -> nn.ModuleList | None:
        """See `Backbone.layer_list`."""
        return getattr(self._layer_modules(), "layer", None)

    def own_layers(self) -> nn.ModuleList | None:
        """See `Backbone.own_layers`."""
        return self.layer_list() if self.num_groups is None else None

    def share_layers(self, groups: int) -> None:
        """See `Backbone.share_layers`."""
        layers = self.layer_list()
        if layers is None or self.num_groups is not None:
            raise no_parts(self.model.config.model_type)
        if groups > len(layers):
            raise InputError(f"groups: {groups} groups of {len(layers)} layers")
        members = [[layer for i, layer in enumerate(layers) if i * groups // len(layers) == g] for g in range(groups)]
        for first, *others in members:
            _become_mean(first, others)
        self._set_layer_list(nn.ModuleList([first for first, *_ in members]))
        self.num_groups = groups

    def token_table(self) -> tuple[nn.Module, str]:
        """See `Backbone.token_table`."""
        return self.model.embeddings, "word_embeddings"

    def part_modules(self, kind: str) -> tuple[nn.Module, ...]:
        """See `Backbone.part_modules`."""
        if kind == "pooler":
            return () if self.model.pooler is None else (self.model.pooler,)
        return (self._layer_modules(),) if kind == "layers" else self._embedding_modules()

    def save_cut(self, folder: Path) -> None:
        """See `Backbone.save_cut`: only greenexp reads it."""
        self.model.config.save_pretrained(folder)
        weights = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    def save(self, folder: Path) -> None:
        """See `Backbone.save`."""
        with quiet_library():
            self.model.save_pretrained(folder)

    def _embedded(self, batch: TokenBatch) -> Tensor:
        """What the library's embeddings give."""
        types = {"token_type_ids": batch.token_type_ids} if self.reads_types else {}
        embedded: Tensor = self.model.embeddings(input_ids=batch.input_ids, **types)
        return embedded

    @abstractmethod
    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        """Hidden states after the weights of layer `index`, from the state before it."""

    def _projected(self, embedded: Tensor) -> Tensor:
        """Hidden states before the first layer, from what the embeddings give."""
        return embedded

    def _pooled(self, hidden: Tensor) -> Tensor:
        return self.model.pooler(hidden)

    def _embedding_modules(self) -> tuple[nn.Module, ...]:
        return (self.model.embeddings,)

    def _layer_modules(self) -> nn.Module:
        return self.model.encoder

    def _embedding_widths(self) -> tuple[int, int] | None:
        """From what width to what width the embeddings are projected; None if they are not."""
        return None

    def _all_layers(self, batch_size: int, length: int) -> tuple[BlockCost, ...]:
        return tuple(self._products_of(index, batch_size, length) for index in range(self.num_layers))

    def _first_layers(self, own: Sequence[nn.Module], layers: int) -> nn.ModuleList:
        return nn.ModuleList([own[self.weights_of(index)] for index in range(layers)])

    def _set_layer_list(self, layers: nn.ModuleList) -> None:
        self._layer_modules().layer = layers

    def _renumbered(self, numbers: Sequence[int]) -> None:
        places = {number - 1: place for place, number in enumerate(numbers)}
        self.narrowed = {places[index]: widths for index, widths in self.narrowed.items() if index in places}
        self.num_layers = len(numbers)
        self.model.config.num_hidden_layers = self.num_layers

    def _products_of(self, index: int, batch_size: int, length: int) -> BlockCost:
        if index not in self.narrowed:
            return self._layer_products(batch_size, length)
        heads, units = self.narrowed[index]
        return layer_products(batch_size, length, self.hidden_size, units, attention=heads)

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        return layer_products(batch_size, length, self.hidden_size, self.model.config.intermediate_size)


def _become_mean(layer: nn.Module, others: Sequence[nn.Module]) -> None:
    """Make the weights of `layer` the mean over it and `others`."""
    with torch.no_grad():
        for place, *rest in zip(layer.parameters(), *(other.parameters() for other in others), strict=True):
            place.copy_(torch.stack((place, *rest)).mean(dim=0))
