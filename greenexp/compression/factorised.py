"""Token embeddings as a product of two matrices."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FactorisedEmbedding(nn.Module):
    """`nn.Embedding` as a narrow table and a projection; see `WeightSharing`.

    table: [token, size]; projection: linear, without bias, from `size` to the width
    """

    def __init__(self, table: nn.Embedding, projection: nn.Linear) -> None:
        super().__init__()
        self.table = table
        self.projection = projection

    @classmethod
    def of(cls, embedding: nn.Embedding, size: int) -> FactorisedEmbedding:
        """The best product of rank `size`, in the sum of squares; on meta tensors shapes alone."""
        weight = embedding.weight.detach()
        rows, width = weight.shape
        if weight.device.type == "meta":
            left, right = weight.new_empty(rows, size), weight.new_empty(width, size)
        else:
            # Of the small square matrix: that of the table itself would take minutes.
            values, vectors = torch.linalg.eigh(weight.double().t() @ weight.double())
            leading = vectors[:, values.argsort(descending=True)[:size]]
            roots = values.clamp_min(0).sort(descending=True).values[:size].sqrt().sqrt()
            inverse = torch.where(roots > 0, 1 / roots, torch.zeros_like(roots))
            left = ((weight.double() @ leading) * inverse).to(weight.dtype)
            right = (leading * roots).to(weight.dtype)
        table = nn.Embedding(rows, size, padding_idx=embedding.padding_idx, _weight=left.contiguous())
        projection = nn.Linear(size, width, bias=False, device="meta")
        projection.weight = nn.Parameter(right.contiguous())
        return cls(table, projection)

    @property
    def widths(self) -> tuple[int, int]:
        """From what width to what width it projects."""
        return self.projection.in_features, self.projection.out_features

    def forward(self, ids: Tensor) -> Tensor:
        """[...] -> [..., width]."""
        found: Tensor = self.projection(self.table(ids))
        return found
