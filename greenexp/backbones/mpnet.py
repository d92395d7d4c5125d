"""MPNet (Song et al. 2020), on transformers' own model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import MPNetModel

from greenexp.backbones.base import EncoderState
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import LibraryBackbone, Pooling
from greenexp.errors import InputError

_BUCKETS = 32
"""Of relative positions: the library computes as many, whatever the config says of its table."""


class MPNetBackbone(LibraryBackbone):
    """BERT's layers with a bias for every relative position, which all layers share.

    A state's positions: that bias, [1, head, token, token].
    """

    attentions = ("eager",)

    def __init__(self, model: Any, pooling: Pooling, notes: tuple[str, ...] = (), *, new_pooler: bool = False) -> None:
        super().__init__(model, pooling, notes, new_pooler=new_pooler)
        self.max_length -= model.embeddings.padding_idx + 1
        # The library's table withholds gradients from id 1, which in other vocabularies than MPNet's is a word.
        model.embeddings.word_embeddings.padding_idx = model.config.pad_token_id

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """See `Backbone.regroup`."""
        bias = self.model.encoder.compute_position_bias(hidden[:1])
        return dataclasses.replace(super().regroup(hidden, attention_mask), positions=(bias,))

    def kept(self, state: EncoderState, rows: Tensor, length: int, *, padded: bool) -> EncoderState:
        """See `Backbone.kept`."""
        (bias,) = state.positions
        cut = None if bias is None else bias[:, :, :length, :length]
        return dataclasses.replace(super().kept(state, rows, length, padded=padded), positions=(cut,))

    def position_tables(self) -> tuple[nn.Parameter, ...]:
        """See `Backbone.position_tables`."""
        return tuple(self.model.encoder.relative_attention_bias.parameters())

    def _advanced(self, index: int, state: EncoderState) -> Tensor:
        layer = self.model.encoder.layer[index]
        # In two halves, as BERT's.
        (attended,) = layer.attention(state.hidden, state.mask, state.positions[0])
        after: Tensor = layer.output(layer.intermediate(attended), attended)
        return after


@dataclass(frozen=True)
class MPNet(LibraryEncoder):
    """MPNet encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Song et al., NeurIPS 2020. Its pooler is dense + tanh over the first token. It has no token types: the two
    texts of a pair are told apart by the separators, `<s> A </s></s> B </s>`. Beside absolute positions, all layers add
    one learned bias per head and relative position to the attention scores; it is looked up once per batch and passed
    from layer to layer, and costs no matrix product.
    The library counts positions from id 1, its padding, whatever id pads: with a vocabulary of its own a token of id 1
    has no position. There is one implementation of its attention, `eager`; the field `attention` changes nothing.
    Without a source: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions (beside the two rows of
    the table that count from the padding id), dropout 0.1.
    """

    family = "mpnet"
    new_model = MPNetModel
    source_model = MPNetModel
    driver = MPNetBackbone
    needs_own_pad_id = True

    def _random_config(self, vocab_size: int, pad_id: int) -> Any:
        config = super()._random_config(vocab_size, pad_id)
        config.max_position_embeddings += 2
        return config

    def _source_config(self, checkpoint: Checkpoint) -> Any:
        config = super()._source_config(checkpoint)
        if config.relative_attention_num_buckets < _BUCKETS:
            raise InputError(
                f"backbone source '{checkpoint.source}' has relative_attention_num_buckets "
                f"{config.relative_attention_num_buckets}: the library computes {_BUCKETS}"
            )
        return config
