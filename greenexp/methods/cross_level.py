"""The run of a method whose exits teach each other under loss weights that may learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from greenexp.methods.base import MethodRun, MicroBatch, Stage, StepContext, TrialShape
from greenexp.objectives import Look, LossWeights, MutualTerms
from greenexp.records.costs import Pass

_STATE = "weights."


class CrossLevelRun(MethodRun):
    """theta descends L_B1 under omega as it stands; omega then descends what its scheme looks at.

    terms: the loss as a vector; weights: omega; share: of the training set that B1 is drawn from, if the scheme splits
    look_dropout: whether dropout stays on where omega's gradient is measured after theta's step
    """

    def __init__(
        self, shape: TrialShape, terms: MutualTerms, weights: LossWeights, share: float, *, look_dropout: bool = True
    ) -> None:
        super().__init__(shape)
        self.terms, self.weights = terms, weights
        self._share, self._look_dropout = share, look_dropout
        self._stage = Stage(1, 1, shape.epochs, exits=shape.exits)

    def stage(self, epoch: int) -> Stage:  # noqa: ARG002 - one stage for all epochs
        """See `MethodRun.stage`."""
        return self._stage

    def split(self, epoch: int) -> float | None:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.split`."""
        return self._share if self.weights.scheme.splits else None

    def passes(self, epoch: int, step: int) -> tuple[Pass, ...]:
        """See `MethodRun.passes`."""
        measured = {Look.FIRST_AFTER: 1, Look.SECOND_AFTER: 2}
        looks = [measured[look] for look in self.weights.scheme.looks(step) if look in measured]
        return (*super().passes(epoch, step), *(Pass(self.shape.exits, (), batch=batch) for batch in looks))

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:  # noqa: ARG002 - the same in every epoch
        """See `MethodRun.loss`."""
        return self.weights.total(self.terms.of(logits, labels))

    def step(self, context: StepContext) -> Tensor:
        """Step theta, then omega.

        Where omega's gradient is measured after theta's step, dropout is usually on: it is the objective that theta
        descends, freshly drawn.
        """
        before, total = self._descend(context)
        context.update(total)
        batches = {Look.FIRST_AFTER: context.batch, Look.SECOND_AFTER: context.second}
        looks = self.weights.scheme.looks(context.step)
        after = self._measured(context, {look: batches[look] for look in looks if look in batches})
        self.weights.step(context.step, {look: after.get(look, before) for look in looks})
        return total

    def _descend(self, context: StepContext) -> tuple[Tensor, Tensor]:
        """Gradients of theta on B1; B1's terms and objective, detached."""
        seen = []
        for micro in context.batch:
            terms = micro.share * self.terms.of(context.forward(micro.inputs, self.shape.exits), micro.labels)
            self.weights.total(terms).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            seen.append(terms.detach())
        if not seen:
            raise ValueError("a step without a batch")
        before = torch.stack(seen).sum(dim=0)
        return before, self.weights.total(before)

    def _measured(self, context: StepContext, batches: Mapping[Look, Sequence[MicroBatch]]) -> dict[Look, Tensor]:
        """The terms over each batch, whole, under the present theta: forward passes only."""
        if not all(batches.values()):
            raise ValueError("omega has no batch to learn from")
        if not batches:
            return {}
        model, exits = context.model, self.shape.exits
        model.train(self._look_dropout)
        with torch.no_grad(), context.precision():  # one context for all, so that autocast casts the weights once
            logits = {look: [model(micro.inputs, exits) for micro in batch] for look, batch in batches.items()}
        model.train()
        return {
            look: torch.stack(
                [
                    micro.share * self.terms.of(said, micro.labels)
                    for micro, said in zip(batch, logits[look], strict=True)
                ]
            ).sum(dim=0)
            for look, batch in batches.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """See `MethodRun.state_dict`."""
        return {_STATE + name: value for name, value in self.weights.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `MethodRun.load_state_dict`."""
        strangers = [name for name in state if not name.startswith(_STATE)]
        if strangers:
            raise ValueError(f"LossWeights do not hold {strangers}")
        self.weights.load_state_dict({name.removeprefix(_STATE): value for name, value in state.items()})
