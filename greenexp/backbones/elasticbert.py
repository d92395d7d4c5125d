"""ElasticBERT (Liu et al. 2022): BERT pretrained with an exit after every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import BertModel, BertTokenizer
from transformers.models.bert.modeling_bert import BertPooler

from greenexp.backbones.bert import BertBackbone
from greenexp.backbones.checkpoints import Checkpoint
from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import LibraryBackbone, Pooling

_SHARED = "the pooler that exits share starts from that of layer"


class OfficialElasticBert(BertModel):
    """What the published checkpoints hold: BERT without a shared pooler, and `encoder.pooler.{i}` after layer i."""

    base_model_prefix = "elasticbert"

    def __init__(self, config: Any, *, add_pooling_layer: bool) -> None:
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        self.encoder.pooler = nn.ModuleList([BertPooler(config) for _ in range(config.num_hidden_layers)])
        self.post_init()


class ElasticBertBackbone(BertBackbone):
    """A library BertModel that remembers the pretrained poolers of its layers, for heads to start from.

    own_poolers: one per layer, no parameters of this module; empty where the layers share one
    """

    def __init__(
        self,
        model: Any,
        pooling: Pooling,
        notes: tuple[str, ...] = (),
        *,
        new_pooler: bool = False,
        own_poolers: Sequence[nn.Linear] = (),
    ) -> None:
        super().__init__(model, pooling, notes, new_pooler=new_pooler)
        self._own_poolers = tuple(own_poolers)  # a tuple hides them from nn.Module

    def pooler_for(self, layer: int) -> nn.Linear | None:
        """See `Backbone.pooler_for`."""
        return self._own_poolers[layer - 1] if self._own_poolers else super().pooler_for(layer)

    def drop_pooler(self) -> None:
        """See `Backbone.drop_pooler`."""
        super().drop_pooler()
        self._own_poolers = ()
        self.notes = tuple(note for note in self.notes if not note.startswith(_SHARED))


@dataclass(frozen=True)
class ElasticBert(LibraryEncoder):
    """ElasticBERT encoder, from a published checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Liu et al., NAACL 2022; repository fastnlp/ElasticBERT@ffb827b4; checkpoints fnlp/elasticbert-base and
    -large, once converted to safetensors. BERT in all but the pretraining, which gave each layer a pooler (dense + tanh
    over the first token) of its own: exit heads with poolers start from them. Where exits share one, it starts from the
    last layer's, and the results say so. A saved model is a BERT.
    Without a source: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions, dropout 0.1.
    """

    family = "elasticbert"
    new_model = BertModel
    source_model = OfficialElasticBert
    driver = ElasticBertBackbone
    source_tokenizer = BertTokenizer  # the library does not know the model type, and would not know which

    def _loaded(self, checkpoint: Checkpoint, config: Any) -> LibraryBackbone:
        """The checkpoint's modules in a plain BertModel; the shared pooler, if asked for, from the last layer's."""
        found = checkpoint.model(self.source_model, config, self.attention, with_pooler=False)
        official, notes = found.model, found.notes
        poolers = official.encoder.pooler
        del official.encoder.pooler
        with torch.device("meta"):  # draws nothing: all its modules are replaced
            model = self._model(config)
        model.embeddings, model.encoder = official.embeddings, official.encoder
        if self._pooling == "pooler":
            model.pooler = poolers[-1]
            notes = (f"{_SHARED} {len(poolers)}", *notes)
        return ElasticBertBackbone(model, self._pooling, notes, own_poolers=[pooler.dense for pooler in poolers])
