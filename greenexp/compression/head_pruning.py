"""Head pruning by gradient importance (Michel et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field

from greenexp.compression.base import Compression, EncoderView, ReportContext
from greenexp.compression.taylor import Per, importances, kept_groups, removable
from greenexp.records.costs import Part, Pass
from greenexp.records.form import Cut


@dataclass(frozen=True)
class HeadPruning(Compression):
    """The attention heads with the smallest gradient importance are removed from the trained model.

    Formula: I_h = sum over examples and tokens |<c_h, dL/dc_h>|, divided by the Euclidean norm of its layer's
    importances; the share of all heads with the smallest I_h goes, over all layers at once.
    Symbols: h a head of some layer, c_h its context (before the layer's output projection), L the sum of the trained
    exits' losses (cross-entropy, or squared error), on training examples, without dropout.
    Source: Michel, Levy and Neubig, NeurIPS 2019; repository pmichel31415/are-16-heads-really-better-than-1@c47e2028.
    Official hyperparameters: 10 % to 100 % of the heads in steps of 10 %; the whole training set (MNLI: its first 100
    batches, or all).
    Departures: at least one head of each layer stays, since a layer without heads has no context. Importances are
    estimated once, and not again after every tenth. What remains is not trained further, as official.
    The heads' rows and columns are removed from all four matrices of the attention, so parameters, bytes and FLOPs are
    those of the smaller model. Not for encoders whose layers share weights.
    Passes: before each report a forward and a backward pass over the `examples` shortest training examples.

    share: of all heads, that goes; least: heads of each layer that stay at least
    per: `token` as above, official; `example`: the sum over an example's tokens is inside the bars, as printed in eq. 2
    normalise: whether importances are divided by the norm of their layer
    examples: of the training split, by which the importances are estimated
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.4
    least: Annotated[int, Field(ge=1)] = 1
    per: Per = "token"
    normalise: bool = True
    examples: Annotated[int, Field(ge=1)] = 1024  # type: ignore[misc]  # a field here, a constant in the base

    def passes(self, exits: Sequence[int]) -> tuple[Pass, ...]:
        """See `Compression.passes`."""
        return (Pass(tuple(exits), (tuple(exits),), frozenset({Part.EMBEDDINGS})),)

    def cut(self, context: ReportContext) -> Cut:
        """See `Compression.cut`."""
        parts = [context.encoder.layer_parts(index) for index in range(context.encoder.num_layers)]
        counts = [part.heads for part in parts]
        scores = importances([part.attention_output for part in parts], counts, context.losses, self.per)
        removed = removable(counts, self.share, self.least)
        return Cut(heads=kept_groups(scores, removed, self.least, normalised=self.normalise))

    def typical_cut(self, encoder: EncoderView) -> Cut:
        """See `Compression.typical_cut`: all heads of a model cost the same."""
        counts = [encoder.layer_parts(index).heads for index in range(encoder.num_layers)]
        removed = removable(counts, self.share, self.least)
        scores = [torch.arange(count) for count in counts]
        return Cut(heads=kept_groups(scores, removed, self.least, normalised=False))
