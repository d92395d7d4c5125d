"""What can be chosen in the study that compares groups of scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

from greenexp.analysis.comparing.compare import CONFIDENCES
from greenexp.analysis.curves.bands import Method
from greenexp.analysis.curves.options import check_band, check_budgets, check_estimator
from greenexp.analysis.curves.tuning_curve import MEDIAN, quantile_level
from greenexp.errors import InputError


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """How groups are compared; InputError for what is not possible.

    budgets: numbers of trials, or amounts of the cost, at which pairs are compared and tested; None: round numbers up
        to half the trials of the smallest group, or amounts in equal ratios
    estimator: of the curves, `median` or another quantile of the best, or its expectation, `unbiased` or `biased`
    confidences: of the bands of a difference, at all budgets together; the level of tests is 1 minus the greatest
    band: how bands are made; support: the least and the greatest score there can be, needed for bands of expectations
    target: also what it takes each group to find a score this good; seed: of what is simulated or resampled
    """

    budgets: tuple[float, ...] | None = None
    estimator: str | float = MEDIAN
    confidences: tuple[float, ...] = CONFIDENCES
    band: Method = "equal_local_levels"
    support: tuple[float, float] | None = None
    target: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_estimator(self.estimator)
        check_band(self.band, self.support)
        check_budgets(self.budgets)
        if not self.confidences or not all(0 < confidence < 1 for confidence in self.confidences):
            raise InputError(f"confidences must lie between 0 and 1, received {self.confidences}")
        if self.target is not None and not math.isfinite(self.target):
            raise InputError(f"the target must be a finite score, received {self.target}")

    @property
    def banded(self) -> bool:
        """Whether curves have bands: an expectation has none without a support."""
        return self.support is not None or quantile_level(self.estimator) is not None

    @property
    def confidence(self) -> float:
        """The greatest of the confidences."""
        return max(self.confidences)

    @property
    def level(self) -> float:
        """The level of tests; without the last digits that the subtraction adds."""
        return round(1 - self.confidence, 12)

    @property
    def statistic(self) -> str:
        """What the curves are of, for titles: `median best`, `0.9 quantile of the best`, `expected best`."""
        level = quantile_level(self.estimator)
        if level is None:
            return "expected best" if self.estimator == "unbiased" else "expected best (biased)"
        return "median best" if self.estimator == MEDIAN else f"{level:g} quantile of the best"
