"""What all backbones made of transformers' models have in common: embedding, masks, pooling, saving."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn
from transformers.masking_utils import create_bidirectional_mask

from greenexp.backbones.base import Backbone, EncoderState, TokenBatch
from greenexp.backbones.checkpoints import quiet_library
from greenexp.backbones.products import layer_products
from greenexp.errors import InputError
from greenexp.records.costs import BlockCost, EncoderCosts, MatmulCost

Pooling = Literal["pooler", "cls", "mean"]


class LibraryBackbone(Backbone):
    """`embeddings -> create_bidirectional_mask -> one layer after the other` of a library model.

    model: an encoder of transformers, with a `pooler` (None for none)
    pooling: what `pool` gives
    new_pooler: whether the pooler was drawn here because the encoder came with none, so that nobody should start from it
    """

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

    def embed(self, batch: TokenBatch) -> EncoderState:
        """See `Backbone.embed`."""
        length = batch.input_ids.shape[1]
        if length > self.max_length:
            raise InputError(f"a sequence of {length} tokens: this backbone has {self.max_length} positions")
        # A table of one type has nothing to tell the segments of a pair apart with.
        types = batch.token_type_ids if self.model.config.type_vocab_size > 1 else None
        return self.regroup(self._embedded(batch.input_ids, types), batch.attention_mask)

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """See `Backbone.regroup`."""
        if attention_mask is None:
            return EncoderState(hidden)
        mask = create_bidirectional_mask(config=self.model.config, inputs_embeds=hidden, attention_mask=attention_mask)
        # None comes back when nothing is padded after all.
        return EncoderState(hidden, mask, None if mask is None else attention_mask.bool())

    def layer(self, index: int, state: EncoderState) -> EncoderState:
        """See `Backbone.layer`."""
        return EncoderState(self._after(index, state.hidden, state.mask), state.mask, state.padding)

    def pool(self, state: EncoderState) -> Tensor:
        """See `Backbone.pool`."""
        if self.pooling == "pooler":
            return self._pooled(state.hidden)
        if self.pooling == "cls":
            return state.hidden[:, 0]
        if state.padding is None:
            return state.hidden.mean(dim=1)
        tokens = state.padding.unsqueeze(-1).to(state.hidden.dtype)
        return (state.hidden * tokens).sum(dim=1) / tokens.sum(dim=1)

    def matmuls(self, batch_size: int, length: int) -> EncoderCosts:
        """See `Backbone.matmuls`."""
        dense = self._pooler_layer() if self.pooling == "pooler" else None
        return EncoderCosts(
            embeddings=self._embedding_products(batch_size * length),
            layers=(self._layer_products(batch_size, length),) * self.num_layers,
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

    def pooler_for(self, layer: int) -> nn.Linear | None:
        """See `Backbone.pooler_for`."""
        return None if self._new_pooler else self._pooler_layer()

    def drop_pooler(self) -> None:
        """See `Backbone.drop_pooler`."""
        self.model.pooler = None
        if self.pooling == "pooler":
            self.pooling = "cls"

    def save(self, folder: Path) -> None:
        """See `Backbone.save`."""
        with quiet_library():
            self.model.save_pretrained(folder)

    @abstractmethod
    def _after(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        """Hidden states after layer `index`, from those before it."""

    def _embedded(self, input_ids: Tensor, token_type_ids: Tensor | None) -> Tensor:
        """Hidden states before the first layer."""
        return self.model.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)

    def _pooled(self, hidden: Tensor) -> Tensor:
        return self.model.pooler(hidden)

    def _pooler_layer(self) -> nn.Linear | None:
        """The pooler's weights, if it has any."""
        return pooler_layer(self.model)

    def _embedding_modules(self) -> tuple[nn.Module, ...]:
        return (self.model.embeddings,)

    def _layer_modules(self) -> nn.Module:
        return self.model.encoder

    def _embedding_products(self, tokens: int) -> BlockCost:
        """Products below the first layer, over all tokens of the batch."""
        return ()

    def _layer_products(self, batch_size: int, length: int) -> BlockCost:
        return layer_products(batch_size, length, self.hidden_size, self.model.config.intermediate_size)


def pooler_layer(model: Any) -> nn.Linear | None:
    """The linear layer of a library model's pooler; None without a pooler, or with one that has no weights."""
    pooler = model.pooler
    return pooler if isinstance(pooler, nn.Linear) else getattr(pooler, "dense", None)
