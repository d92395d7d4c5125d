"""Ensemble of internal classifiers (Sun et al. 2021), reconstructed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from greenexp.methods.base import Method, TrialShape
from greenexp.methods.classes_only import refuse_regression
from greenexp.methods.joint import JointRun
from greenexp.objectives import diversity


@dataclass(frozen=True)
class Ensemble(Method):
    """Accuracy plus diversity of the exits, for a voting policy (a reconstruction of Sun et al. 2021).

    Formula: L = sum_m CE_m - lambda sum_{m > 1} D_m with D_m = min_{j < m} CE(p_j, p_m), per example, then the mean;
    CE(p, q) = -sum_k p[k] log q[k]. One place in the code: objectives.diversity.
    Symbols: m = 1..M the exits, p_m their predictions, CE_m the mean cross-entropy to the labels.
    Source: Sun et al. 2021, arXiv 2105.13792: its abstract (an accuracy and a diversity term, a voting policy) and
    descriptions of it; the text was not at hand. No public code was found. Direction, minimum per example, and what is
    constant are ours.
    Constant: the earlier prediction p_j. A gradient into p_j would move earlier exits to classes that later ones
    rule out, with a slope, -log p_m, that grows without end.
    Unbounded: for every lambda > 0 one example's loss has no lower bound. In the logits of exit m its gradient is
    (1 - lambda) p_m - e_y + lambda p_j, never zero while p_j is unsure. What bounds it: for lambda < 1 every slope is
    at most 1 in size and the label's logit is always pushed up; once the exit is surely right, lambda (1 - p_j[y]) is
    left of it, which vanishes as the earlier exits learn; and where labels are noisy, all exits at the labels'
    frequencies stay the point of rest. At lambda = 1 an exit that is surely wrong is no longer corrected, above 1 it
    gains by denying the label: hence lambda < 1, and a default far below.
    Classification only: a regression task is refused.
    Passes: one forward and one backward through all exits.

    diversity: lambda
    """

    reconstruction: ClassVar[str] = "of Sun et al. 2021 from its abstract, as its text was not at hand"

    diversity: Annotated[float, Field(ge=0, lt=1)] = 0.1

    def begin(self, shape: TrialShape) -> EnsembleRun:
        """See `Method.begin`."""
        refuse_regression("ensemble", shape)
        return EnsembleRun(shape, self.diversity)


class EnsembleRun(JointRun):
    """One trial of `Ensemble`."""

    def __init__(self, shape: TrialShape, factor: float) -> None:
        super().__init__(shape, [1.0] * len(shape.exits))
        self._factor = factor

    def loss(self, logits: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """See `MethodRun.loss`."""
        return super().loss(logits, labels, epoch) - self._factor * diversity(logits).sum()
