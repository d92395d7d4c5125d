"""RoBERTa (Liu et al. 2019), on transformers' own model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transformers import RobertaModel

from greenexp.backbones.bert import BertBackbone
from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import Pooling


class RobertaBackbone(BertBackbone):
    """BERT's layers; the first token of a sequence has position `pad_token_id + 1`, and padding has none."""

    def __init__(self, model: Any, pooling: Pooling, notes: tuple[str, ...] = (), *, new_pooler: bool = False) -> None:
        super().__init__(model, pooling, notes, new_pooler=new_pooler)
        self.max_length -= model.config.pad_token_id + 1


@dataclass(frozen=True)
class Roberta(LibraryEncoder):
    """RoBERTa encoder, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Liu et al., arXiv 1907.11692, 2019. Its pooler is dense + tanh over the first token; the published
    checkpoints' pooler was not pretrained. Token types are left out, as it has one.
    Without a source: 12 layers, hidden 768, 12 heads, intermediate 4 x hidden, 512 positions (beside the rows of the
    table that count from the padding id), dropout 0.1.
    """

    family = "roberta"
    new_model = RobertaModel
    source_model = RobertaModel
    driver = RobertaBackbone
    needs_own_pad_id = True

    def _random_config(self, vocab_size: int, pad_id: int) -> Any:
        config = super()._random_config(vocab_size, pad_id)
        config.max_position_embeddings += pad_id + 1
        return config

    def _sizes(self) -> dict[str, Any]:
        return {**super()._sizes(), "type_vocab_size": 1}
