"""ALBERT's two savings for other encoders: layers that share weights, factorised token embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from greenexp.compression.base import Compression
from greenexp.errors import InputError
from greenexp.records.form import Form
from greenexp.records.settings import ModelSettings


@dataclass(frozen=True)
class WeightSharing(Compression):
    """Before training, layers come to share their weights, and token embeddings are factorised.

    Formula: layer i = 1..N computes with the weights of group floor((i - 1) G / N); a group starts from the mean of its
    layers. The token embeddings E of V rows and H columns become A B, A of V rows and e columns: the best product of
    that rank in the sum of squares, from the singular value decomposition E = U S W^T, A = U_e S_e^(1/2), B = S_e^(1/2)
    W_e^T; both train on.
    Symbols: N layers, G `groups`, e `embedding_size`.
    Source: Lan et al., ICLR 2020 (ALBERT), parameter sharing across layers and factorised embedding parametrisation;
    Eckart and Young 1936 for the start. ALBERT is pre-trained in this form; here a pre-trained encoder is put into it
    and trained on the task alone, which costs accuracy.
    Departures: position and type embeddings and the normalisation after them keep the width H.
    Parameters and bytes are those of the shared model. FLOPs are as before in the layers, and the product with B is
    added: sharing saves no computing.
    Passes: none.

    groups: of adjacent layers, each with weights of its own; None: every layer has its own
    embedding_size: e; None: embeddings are not factorised
    """

    groups: Annotated[int, Field(ge=1)] | None = 1
    embedding_size: Annotated[int, Field(ge=1)] | None = 128

    def __post_init__(self) -> None:
        if self.groups is None and self.embedding_size is None:
            raise InputError("weight_sharing: groups and embedding_size are both null: nothing is shared")

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """See `Compression.adapt`."""
        form = replace(settings.form or Form(), groups=self.groups, embedding_size=self.embedding_size)
        return replace(settings, form=form)
