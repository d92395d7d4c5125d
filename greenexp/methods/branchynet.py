"""BranchyNet (Teerapittayanon et al. 2016)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from greenexp.errors import InputError
from greenexp.methods.base import Method, TrialShape
from greenexp.methods.joint import JointRun


@dataclass(frozen=True)
class BranchyNet(Method):
    """Joint training with one fixed weight per exit.

    Formula: L = sum_i w_i CE_i, i = 1..M the exits, CE_i the mean cross-entropy of exit i (MSE for regression).
    Source: Teerapittayanon, McDanel, Kung, ICPR 2016; repository kunglab/branchynet@a33d136a.
    Official hyperparameters, for image classification: Adam at a constant learning rate of 1e-3.
    Departures: trained as the section `training` says, by default AdamW with warm-up and a linear fall.
    The official branches ignore the weight they are given (always 1). Here it is honoured.
    Passes: one forward and one backward through all exits.

    weights: `uniform` w_i = 1; `linear` w_i = i / M; or one number >= 0 per exit (0 leaves it untrained)
    """

    weights: Literal["uniform", "linear"] | tuple[float, ...] = "uniform"

    def __post_init__(self) -> None:
        if isinstance(self.weights, str):
            if self.weights not in ("uniform", "linear"):
                raise InputError(f"branchynet: weights: expected uniform, linear or numbers, got {self.weights!r}")
            return
        numbers = tuple(float(weight) for weight in self.weights)
        if not all(math.isfinite(weight) and weight >= 0 for weight in numbers) or not any(numbers):
            raise InputError(f"branchynet: weights: expected numbers >= 0, one above 0, got {list(self.weights)}")
        object.__setattr__(self, "weights", numbers)

    def begin(self, shape: TrialShape) -> JointRun:
        """See `Method.begin`."""
        return JointRun(shape, self._per_exit(len(shape.exits)))

    def _per_exit(self, exits: int) -> Sequence[float]:
        if self.weights == "uniform":
            return [1.0] * exits
        if self.weights == "linear":
            return [number / exits for number in range(1, exits + 1)]
        numbers = [float(weight) for weight in self.weights]
        if len(numbers) != exits:
            raise InputError(f"branchynet: weights: {len(numbers)} numbers for {exits} exits")
        return numbers
