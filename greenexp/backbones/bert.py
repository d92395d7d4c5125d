"""BERT (Devlin et al. 2019): transformers' own embeddings, layers and pooler, driven one layer at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import BertConfig, BertModel
from transformers.masking_utils import create_bidirectional_mask

from greenexp.assets import ASSETS
from greenexp.backbones.base import Backbone, EncoderState, TokenBatch
from greenexp.backbones.checkpoints import Checkpoint, quiet_library
from greenexp.errors import CheckpointError, InputError
from greenexp.records.costs import BlockCost, EncoderCosts, MatmulCost

Pooling = Literal["pooler", "cls", "mean"]
Attention = Literal["sdpa", "eager"]

_SHAPE_FIELDS = ("hidden", "heads", "intermediate", "max_positions")


@dataclass(frozen=True)
class Bert:
    """BERT encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    source: a checkpoint in safetensors, read in float32: the name of an asset (`minilm-l6`), a local folder, or a hub
        id, pinned as `owner/name@commit`; None for random initialisation
    layers: number of layers; with a source: keep the first so many. None: the source's, or 12
    hidden, heads, intermediate, max_positions: only without a source. None: 768, 12, 4 x hidden, 512
    dropout: of hidden states and attention probabilities. None: the source's, or 0.1
    pooling: what an exit sees: `pooler` (dense + tanh over the first token; the source's pooler if it has one, else a
        new one), `cls` (the first token's hidden state) or `mean` (the mean over tokens). None: what the asset was
        trained with (`minilm-l6`: mean), else `pooler`
    attention: which of the library's attention implementations runs
    """

    layers: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[int, Field(ge=1)] | None = None
    heads: Annotated[int, Field(ge=1)] | None = None
    intermediate: Annotated[int, Field(ge=1)] | None = None
    dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    max_positions: Annotated[int, Field(ge=1)] | None = None
    source: str | None = None
    pooling: Pooling | None = None
    attention: Attention = "sdpa"

    def __post_init__(self) -> None:
        given = [name for name in _SHAPE_FIELDS if getattr(self, name) is not None]
        if self.source is not None and given:
            raise InputError(f"bert: {', '.join(given)}: fixed by the source '{self.source}'; leave it out")
        hidden, heads = self.hidden or 768, self.heads or 12
        if self.source is None and hidden % heads:
            raise InputError(f"bert: hidden ({hidden}) must be a multiple of heads ({heads})")

    @property
    def assets(self) -> tuple[str, ...]:
        """See `BackbonePlugin`."""
        return (self.source,) if self.source is not None and self.source in ASSETS else ()

    def build(self, vocab_size: int, pad_id: int, device: str = "cpu") -> BertBackbone:
        """See `BackbonePlugin.build`."""
        if self.source is None:
            with torch.device(device):
                return BertBackbone(self._with_pooler(self._random_config(vocab_size, pad_id)), self._pooling)
        checkpoint = Checkpoint.of(self.source)
        config = self._source_config(checkpoint)
        if vocab_size > config.vocab_size:
            raise InputError(f"the data has {vocab_size} token ids, the source '{self.source}' {config.vocab_size}")
        if device == "meta":
            with torch.device("meta"):
                return BertBackbone(self._with_pooler(config), self._pooling)
        model, notes = checkpoint.model(config, self.attention, with_pooler=self._pooling == "pooler")
        return BertBackbone(model.to(device), self._pooling, notes)

    def load(self, folder: Path) -> BertBackbone:
        """See `BackbonePlugin.load`."""
        try:
            config = BertConfig.from_pretrained(folder, attn_implementation=self.attention)
            weights = load_file(folder / "model.safetensors")
        except (OSError, ValueError, SafetensorError) as error:
            raise CheckpointError(f"{folder}: the backbone cannot be read: {error}") from error
        model = self._with_pooler(config)
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(f"{folder}: the backbone's weights do not fit its config: {error}") from error
        return BertBackbone(model, self._pooling)

    def tokenizer(self) -> Any | None:
        """See `BackbonePlugin.tokenizer`."""
        return None if self.source is None else Checkpoint.of(self.source).tokenizer()

    @property
    def _pooling(self) -> Pooling:
        asset = ASSETS.get(self.source or "")
        return self.pooling or (asset.pooling if asset is not None and asset.pooling else "pooler")

    def _with_pooler(self, config: BertConfig) -> BertModel:
        return BertModel(config, add_pooling_layer=self._pooling == "pooler")

    def _random_config(self, vocab_size: int, pad_id: int) -> BertConfig:
        hidden = self.hidden or 768
        dropout = 0.1 if self.dropout is None else self.dropout
        return BertConfig(
            vocab_size=vocab_size,
            pad_token_id=pad_id,
            num_hidden_layers=self.layers or 12,
            hidden_size=hidden,
            num_attention_heads=self.heads or 12,
            intermediate_size=self.intermediate or 4 * hidden,
            max_position_embeddings=self.max_positions or 512,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            attn_implementation=self.attention,
        )

    def _source_config(self, checkpoint: Checkpoint) -> BertConfig:
        """The checkpoint's config with this plug-in's fields applied."""
        config = checkpoint.config(self.attention)
        if self.layers is not None and self.layers > config.num_hidden_layers:
            raise InputError(
                f"backbone source '{checkpoint.source}' has {config.num_hidden_layers} layers, not {self.layers}"
            )
        config.num_hidden_layers = self.layers or config.num_hidden_layers
        if self.dropout is not None:
            config.hidden_dropout_prob = config.attention_probs_dropout_prob = self.dropout
        return config


class BertBackbone(Backbone):
    """`embeddings -> create_bidirectional_mask -> encoder.layer[i]` of a library BertModel, one after the other."""

    def __init__(self, model: BertModel, pooling: Pooling, notes: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.model = model
        self.pooling = pooling
        self.notes = notes
        self.num_layers = model.config.num_hidden_layers
        self.hidden_size = model.config.hidden_size
        self.max_length = model.config.max_position_embeddings
        self.vocab_size = model.config.vocab_size

    def embed(self, batch: TokenBatch) -> EncoderState:
        """See `Backbone.embed`."""
        length = batch.input_ids.shape[1]
        if length > self.max_length:
            raise InputError(f"a sequence of {length} tokens: this backbone has {self.max_length} positions")
        hidden = self.model.embeddings(input_ids=batch.input_ids, token_type_ids=batch.token_type_ids)
        return self.regroup(hidden, batch.attention_mask)

    def regroup(self, hidden: Tensor, attention_mask: Tensor | None) -> EncoderState:
        """See `Backbone.regroup`."""
        if attention_mask is None:
            return EncoderState(hidden)
        mask = create_bidirectional_mask(config=self.model.config, inputs_embeds=hidden, attention_mask=attention_mask)
        # None comes back when nothing is padded after all.
        return EncoderState(hidden, mask, None if mask is None else attention_mask.bool())

    def layer(self, index: int, state: EncoderState) -> EncoderState:
        """See `Backbone.layer`."""
        # The layer's own two halves: calling the whole inspects a Python signature every time, which takes 1 to 3 % of
        # a short example. A half of another shape would raise no error in SDPA without a mask: the tests look at that.
        layer = self.model.encoder.layer[index]
        attended, _ = layer.attention(state.hidden, state.mask)
        hidden = layer.output(layer.intermediate(attended), attended)
        return EncoderState(hidden, state.mask, state.padding)

    def pool(self, state: EncoderState) -> Tensor:
        """See `Backbone.pool`."""
        if self.pooling == "pooler":
            return self.model.pooler(state.hidden)
        if self.pooling == "cls":
            return state.hidden[:, 0]
        if state.padding is None:
            return state.hidden.mean(dim=1)
        tokens = state.padding.unsqueeze(-1).to(state.hidden.dtype)
        return (state.hidden * tokens).sum(dim=1) / tokens.sum(dim=1)

    def matmuls(self, batch_size: int, length: int) -> EncoderCosts:
        """See `Backbone.matmuls`: with B, S, H, I per layer 8BSH^2 + 4BSHI (linear) + 4BS^2H (attention) FLOPs."""
        config = self.model.config
        width, inner_width, tokens = config.hidden_size, config.intermediate_size, batch_size * length
        layer: BlockCost = (
            MatmulCost(3 * 2 * tokens * width**2),  # query, key, value
            MatmulCost(2 * tokens * length * width, weight=False, inner=True),  # QK^T over all heads
            MatmulCost(2 * tokens * length * width, weight=False, inner=True),  # attention x V
            MatmulCost(2 * tokens * width**2, inner=True),  # attention output
            MatmulCost(2 * tokens * width * inner_width, inner=True),
            MatmulCost(2 * tokens * inner_width * width, inner=True),
        )
        pooler = (MatmulCost(2 * batch_size * width**2),) if self.pooling == "pooler" else ()
        return EncoderCosts(embeddings=(), layers=(layer,) * self.num_layers, pooler=pooler)

    def embedding_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.embedding_parameters`."""
        return self.model.embeddings.parameters()

    def layer_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.layer_parameters`."""
        return self.model.encoder.parameters()

    def pooler_parameters(self) -> Iterable[nn.Parameter]:
        """See `Backbone.pooler_parameters`."""
        return () if self.model.pooler is None else self.model.pooler.parameters()

    def save(self, folder: Path) -> None:
        """See `Backbone.save`."""
        with quiet_library():
            self.model.save_pretrained(folder)
