"""Structured pruning of feed-forward networks by gradient importance."""

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
class UnitPruning(Compression):
    """The feed-forward units with the smallest gradient importance are removed from the trained model.

    Formula: I_u = sum over examples and tokens |a_u dL/da_u|; the share of all units with the smallest I_u goes.
    Symbols: u a unit of the feed-forward network of some layer, a_u its activation, L the sum of the trained exits'
    losses (cross-entropy, or squared error), on training examples, without dropout.
    Source: Molchanov et al., ICLR 2017, first-order Taylor criterion, applied to units as Michel et al. 2019 to heads;
    Prasanna, Rogers and Rumshisky, EMNLP 2020, prune both so. What remains is not trained further.
    The units' rows and columns are removed from both matrices, so parameters, bytes and FLOPs are those of the smaller
    model. Not for encoders whose layers share weights.
    Passes: before each report a forward and a backward pass over the `examples` shortest training examples.

    share: of all units, that goes; least: units of each layer that stay at least
    per: `token` as above; `example`: the sum over an example's tokens is inside the bars
    normalise: whether importances are divided by the Euclidean norm of their layer
    examples: of the training split, by which the importances are estimated
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.4
    least: Annotated[int, Field(ge=1)] = 1
    per: Per = "token"
    normalise: bool = False
    examples: Annotated[int, Field(ge=1)] = 1024  # type: ignore[misc]  # a field here, a constant in the base

    def passes(self, exits: Sequence[int]) -> tuple[Pass, ...]:
        """See `Compression.passes`."""
        return (Pass(tuple(exits), (tuple(exits),), frozenset({Part.EMBEDDINGS})),)

    def cut(self, context: ReportContext) -> Cut:
        """See `Compression.cut`."""
        parts = [context.encoder.layer_parts(index) for index in range(context.encoder.num_layers)]
        counts = [part.outer.in_features for part in parts]
        scores = importances([part.outer for part in parts], counts, context.losses, self.per)
        removed = removable(counts, self.share, self.least)
        return Cut(units=kept_groups(scores, removed, self.least, normalised=self.normalise))

    def typical_cut(self, encoder: EncoderView) -> Cut:
        """See `Compression.typical_cut`: all units of a model cost the same."""
        counts = [encoder.layer_parts(index).outer.in_features for index in range(encoder.num_layers)]
        removed = removable(counts, self.share, self.least)
        scores = [torch.arange(count) for count in counts]
        return Cut(units=kept_groups(scores, removed, self.least, normalised=False))
