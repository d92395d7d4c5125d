"""ELECTRA (Clark et al. 2020): the discriminator, on transformers' own model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers import ElectraModel
from transformers.models.bert.modeling_bert import BertPooler

from greenexp.backbones.bert import BertBackbone
from greenexp.backbones.encoder import LibraryEncoder, Size


class PooledElectra(ElectraModel):
    """The library's encoder, which has no pooler, with one of BERT's."""

    def __init__(self, config: Any, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None
        self.post_init()


class ElectraBackbone(BertBackbone):
    """BERT's layers; embeddings of another size are projected."""

    def _projected(self, embedded: Tensor) -> Tensor:
        return self.model.embeddings_project(embedded) if self._projects else embedded

    def _embedding_modules(self) -> tuple[nn.Module, ...]:
        return (self.model.embeddings, *((self.model.embeddings_project,) if self._projects else ()))

    def _embedding_widths(self) -> tuple[int, int] | None:
        return (self.model.config.embedding_size, self.hidden_size) if self._projects else None

    @property
    def _projects(self) -> bool:
        return self.model.config.embedding_size != self.hidden_size


@dataclass(frozen=True)
class Electra(LibraryEncoder):
    """ELECTRA's discriminator, from a checkpoint or randomly initialised (normal, standard deviation 0.02).

    Source: Clark et al., ICLR 2020. It has no pooler: with `pooling: pooler` a new one, dense + tanh over the first
    token, is trained, and the results say so. The projection of the embeddings belongs to the embeddings.
    Without a source: 12 layers, hidden 256, 4 heads, intermediate 4 x hidden, 512 positions, dropout 0.1.

    embedding_size: of token, position and type embeddings; only without a source. None: 128
    """

    embedding_size: Size | None = None

    family = "electra"
    new_model = PooledElectra
    source_model = PooledElectra
    driver = ElectraBackbone
    brings_pooler = False
    usual_shape = (12, 256, 4)
    shape_fields = (*LibraryEncoder.shape_fields, "embedding_size")

    def _sizes(self) -> dict[str, Any]:
        return {**super()._sizes(), "embedding_size": self.embedding_size or 128}
