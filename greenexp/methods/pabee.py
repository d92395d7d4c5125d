"""PABEE (Zhou et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from greenexp.methods.base import Method, TrialShape
from greenexp.methods.joint import JointRun


@dataclass(frozen=True)
class Pabee(Method):
    """Joint training, deeper exits weighing more.

    Formula: L = sum_j j CE_j / sum_j j, j = 1..M the exits, CE_j the mean cross-entropy of exit j (MSE for regression).
    Source: Zhou et al., NeurIPS 2020; repository JetRunner/PABEE@6080b3ee.
    Official hyperparameters: learning rate 2e-5, batch 32, 5 epochs, 128 tokens; linear exits on the shared pooler,
    which are the defaults (a backbone without a pretrained pooler gets a new one and says so in its notes).
    Departures of the official code: none in training.
    Passes: one forward and one backward through all exits.
    """

    defaults: ClassVar[Mapping[str, Any]] = {"backbone.pooling": "pooler"}

    def begin(self, shape: TrialShape) -> JointRun:
        """See `Method.begin`."""
        total = sum(shape.exits)
        return JointRun(shape, [number / total for number in shape.exits])
