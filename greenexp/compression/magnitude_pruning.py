"""Magnitude pruning while a model trains (Zhu and Gupta 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from pydantic import Field

from greenexp.compression.base import Compression, EncoderView, ReportContext
from greenexp.compression.zeros import matrices, prune_to
from greenexp.errors import InputError
from greenexp.records.form import Cut


@dataclass(frozen=True)
class MagnitudePruning(Compression):
    """The smallest weights of the layers' matrices become zero while the model trains, more and more of them.

    Formula: s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (t_1 - t_0))^3 for t_0 <= t <= t_1; 0 before t_0 and s_f after
    t_1. After step t the share s_t of each matrix, its smallest |w|, is zero; what is zero stays zero.
    Symbols: t optimiser steps made, of n in all; t_0 = begin n, t_1 = end n, s_i `initial`, s_f `sparsity`.
    Source: Zhu and Gupta, "To prune, or not to prune", 2017, eq. 1; each matrix apart, as in
    TensorFlow's model_pruning.
    Official hyperparameters: s_i 0, t_1 before the end of the training, masks renewed every 100 to 1,000 steps.
    Departures: TensorFlow keeps the values under the mask, so that a weight may come back; here it does not.
    A report is of a copy of which the whole share s_f is zero, at every epoch, so that scores are of one sparsity.
    Zeros take as many bytes and FLOPs as other numbers: dense matrix products do not skip them, and what the report
    says of bytes, FLOPs and seconds is that of the dense model. The share of zeros that was reached is recorded with
    the notes on the weights. Biases, normalisation, embeddings, poolers and exit heads are not pruned.
    Passes: none.

    sparsity: share of zeros of each matrix at the end; initial: at the beginning of the schedule
    begin, end: shares of the training between which the sparsity grows; every: steps between two renewals of the masks
    """

    sparsity: Annotated[float, Field(ge=0, lt=1)] = 0.5
    initial: Annotated[float, Field(ge=0, lt=1)] = 0.0
    begin: Annotated[float, Field(ge=0, lt=1)] = 0.0
    end: Annotated[float, Field(gt=0, le=1)] = 0.7
    every: Annotated[int, Field(ge=1)] = 10

    def __post_init__(self) -> None:
        if self.begin >= self.end:
            raise InputError(f"magnitude_pruning: begin ({self.begin:g}) must lie before end ({self.end:g})")
        if self.initial > self.sparsity:
            raise InputError(f"magnitude_pruning: initial ({self.initial:g}) is above sparsity ({self.sparsity:g})")

    def share(self, step: int, steps: int) -> float:
        """s_t after `step` of `steps` steps."""
        first, last = self.begin * steps, self.end * steps
        if step < first:
            return 0.0
        left = max(0.0, 1 - (step - first) / (last - first))
        return self.sparsity + (self.initial - self.sparsity) * left**3

    def before_step(self, encoder: EncoderView) -> Any:
        """Where the matrices are zero before a step, [matrix]; None where no mask is laid yet."""
        return [weight.detach() == 0 for weight in matrices(encoder)]

    def after_step(self, encoder: EncoderView, before: Any, step: int, steps: int) -> None:
        """See `Compression.after_step`."""
        first, last = self.begin * steps, self.end * steps
        if step < first:
            return
        renews = step % self.every == 0 or step - 1 < first or step - 1 < last <= step
        with torch.no_grad():
            for weight, zero in zip(matrices(encoder), before, strict=True):
                weight.masked_fill_(zero, 0)
                if renews:
                    prune_to(weight, self.share(step, steps))

    def cut(self, context: ReportContext) -> Cut:
        """See `Compression.cut`."""
        return self.typical_cut(context.encoder)

    def typical_cut(self, encoder: EncoderView) -> Cut:  # noqa: ARG002 - the same for all
        """See `Compression.typical_cut`."""
        return Cut(zeros=self.sparsity)

    def remarks(self, encoder: EncoderView) -> tuple[str, ...]:
        """See `Compression.remarks`."""
        weights = matrices(encoder)
        zeros, count = sum(int((weight == 0).sum()) for weight in weights), sum(weight.numel() for weight in weights)
        return (f"{zeros:,} of {count:,} weights of the layers' matrices are zero ({zeros / count:.1%})",)
