"""BERT (Devlin et al. 2019): transformers' own embeddings, layers and pooler, driven one layer at a time."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from transformers import BertModel

from greenexp.backbones.encoder import LibraryEncoder
from greenexp.backbones.library import LibraryBackbone


class BertBackbone(LibraryBackbone):
    """A library BertModel, or one whose layers are made in the same way."""

    def _after(self, index: int, hidden: Tensor, mask: Tensor | None) -> Tensor:
        # The layer's own two halves: calling the whole inspects a Python signature every time, which takes 1 to 3 % of
        # a short example. A half of another shape would raise no error in SDPA without a mask: the tests look at that.
        layer = self.model.encoder.layer[index]
        attended, _ = layer.attention(hidden, mask)
        return layer.output(layer.intermediate(attended), attended)
