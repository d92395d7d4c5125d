"""What can be chosen in the study of fronts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from greenexp.analysis.fronts.attainment import LEVELS
from greenexp.errors import InputError


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """How the study of fronts computes; InputError for what is not possible.

    reference: (score, cost), the worst corner of hypervolumes, None: the worst score and the highest cost seen
    budgets: numbers of trials for expected hypervolumes, None: round numbers up to those there are
    levels: shares of the trials for attainment curves; confidence: of comparisons; seed: of what is resampled
    """

    reference: tuple[float, float] | None = None
    budgets: tuple[float, ...] | None = None
    levels: tuple[float, ...] = LEVELS
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.reference is not None and not all(map(math.isfinite, self.reference)):
            raise InputError(f"the reference must be a finite score and a finite cost, received {self.reference}")
        if self.budgets is not None and any(budget != int(budget) or budget < 1 for budget in self.budgets):
            raise InputError("budgets of expected hypervolumes must be whole numbers of trials, at least 1")
        if not self.levels or not all(0 < level <= 1 for level in self.levels):
            raise InputError(f"levels must be shares above 0 and up to 1, received {self.levels}")
        if not 0 < self.confidence < 1:
            raise InputError(f"the confidence must lie between 0 and 1, received {self.confidence:g}")

    @property
    def alpha(self) -> float:
        """The level of tests; without the last digits that the subtraction adds."""
        return round(1 - self.confidence, 12)
