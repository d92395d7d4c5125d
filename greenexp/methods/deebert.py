"""DeeBERT (Xin et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from greenexp.errors import InputError
from greenexp.methods.base import Method, TrialShape
from greenexp.methods.staged import StagedRun
from greenexp.records.sections import HeadChoice
from greenexp.records.settings import ModelSettings


@dataclass(frozen=True)
class DeeBert(Method):
    """Two stages: fine-tuning of the last exit, then the off-ramps below it on the frozen backbone.

    Formula: stage 1 L = CE_M; stage 2 L = sum_{i<M} CE_i, backbone and last exit frozen. M exits, CE_i the mean
    cross-entropy of exit i (MSE for regression). Each stage has an optimiser and a schedule of its own.
    Source: Xin et al., ACL 2020; repository castorini/DeeBERT@563eac1c.
    Official hyperparameters: learning rate 2e-5 and as many epochs in both stages (3 each for BERT, 10 for RoBERTa),
    batch 8; off-ramps with poolers that start as the pretrained one (exit head `pooled`), which are the defaults.
    Departures of the official code: its last layer holds the classifier of stage 1 and an off-ramp that neither stage
    trains, and at inference the latter answers where the entropy of its prediction is below the threshold; here the
    trained one answers, unless `untrained_last_below` asks for the former. Its clipping in stage 2 counts the
    gradients of the frozen backbone in the norm; here the norm is that of what trains. Its frozen backbone keeps its
    dropout; so does ours unless `frozen_dropout` is off.
    Passes: stage 1 one forward and one backward, the last exit only; stage 2 one forward through all exits below the
    last, one backward through their heads alone.

    first_epochs: epochs of stage 1, of all that `training.epochs` counts; None: half, rounded up
    later_rate: factor on the learning rate in stage 2; official: 1
    frozen_dropout: whether the backbone's dropout stays on in stage 2
    untrained_last_below: entropy in nats below which the last exit answers by an off-ramp that was never trained, as
        the official code does; for comparison; wants exit head `pooled`. None: never
    """

    first_epochs: Annotated[int, Field(ge=1)] | None = None
    later_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    frozen_dropout: bool = True
    untrained_last_below: float | None = None

    defaults: ClassVar[Mapping[str, Any]] = {"exits.head": {"name": "pooled"}, "backbone.pooling": "pooler"}

    def adapt(self, settings: ModelSettings) -> ModelSettings:
        """Give the last exit its second classifier, if it is wanted."""
        if self.untrained_last_below is None:
            return settings
        if settings.head.name != "pooled":
            raise InputError(f"deebert: untrained_last_below: wants exit head pooled, not {settings.head.name}")
        fields = {**settings.head.to_json(), "untrained_last_below": self.untrained_last_below}
        return replace(settings, head=HeadChoice.model_validate(fields))

    def begin(self, shape: TrialShape) -> StagedRun:
        """See `Method.begin`."""
        if self.untrained_last_below is not None and shape.num_labels == 1:
            raise InputError("deebert: untrained_last_below: a regression task has no entropy to compare it with")
        return StagedRun(
            "deebert", shape, self.first_epochs, frozen_dropout=self.frozen_dropout, later_rate=self.later_rate
        )
