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
    """

    def __init__(self, shape: TrialShape, terms: MutualTerms, weights: LossWeights, share: float) -> None:
        super().__init__(shape)
        self.terms, self.weights = terms, weights
        self._share = share
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

        Where omega's gradient is measured after theta's step, the model stays in training mode, dropout and all: it is
        the objective that theta descends, freshly drawn.
        """
        before, total = self._descend(context)
        context.update(total)
        measured = {Look.FIRST_BEFORE: lambda: before}
        measured[Look.FIRST_AFTER] = lambda: self._measured(context, context.batch)
        measured[Look.SECOND_AFTER] = lambda: self._measured(context, context.second)
        looks = self.weights.scheme.looks(context.step)
        self.weights.step(context.step, {look: measured[look]() for look in looks})
        return total

    def _descend(self, context: StepContext) -> tuple[Tensor, Tensor]:
        """Gradients of theta on B1; B1's terms and objective, detached."""
        seen = []
        for micro in context.batch:
            terms = micro.share * self.terms.of(context.forward(micro.tokens, self.shape.exits), micro.labels)
            self.weights.total(terms).backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            seen.append(terms.detach())
        if not seen:
            raise ValueError("a step without a batch")
        before = torch.stack(seen).sum(dim=0)
        return before, self.weights.total(before)

    def _measured(self, context: StepContext, batch: Sequence[MicroBatch]) -> Tensor:
        """The terms over a whole batch under the present theta: forward passes only."""
        if not batch:
            raise ValueError("omega has no batch to learn from")
        with torch.no_grad():
            each = [m.share * self.terms.of(context.forward(m.tokens, self.shape.exits), m.labels) for m in batch]
        return torch.stack(each).sum(dim=0)

    def state_dict(self) -> dict[str, Any]:
        """See `MethodRun.state_dict`."""
        return {_STATE + name: value for name, value in self.weights.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `MethodRun.load_state_dict`."""
        strangers = [name for name in state if not name.startswith(_STATE)]
        if strangers:
            raise ValueError(f"LossWeights do not hold {strangers}")
        self.weights.load_state_dict({name.removeprefix(_STATE): value for name, value in state.items()})
