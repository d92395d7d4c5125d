"""What can be chosen in the study of tuning curves."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass

from greenexp.analysis.curves.bands import METHODS, Method
from greenexp.analysis.curves.tuning_curve import named, quantile_level
from greenexp.errors import InputError, did_you_mean

MOST_EXTRAPOLATED = 20
"""Budgets: each is back-tested at its own factor, by twenty fits."""


@dataclass(frozen=True, slots=True)
class CurveOptions:
    """How the study of tuning curves computes; InputError for what is not possible.

    budgets: numbers of trials, or amounts of the cost; None: round numbers, or amounts in equal ratios
    estimator: `unbiased` or `biased`, the expected best without or with replacement, `median`, or a quantile in (0, 1)
    confidence: of the band, at all budgets together; band: how it is made; support: the least and the greatest score
    best_so_far: also what this search had in hand; bootstrap: also percentile bootstrap intervals, over trials
    extrapolate: numbers of trials beyond those made, by a model; mean_cost: put n trials at n times the mean cost
    seed: of what is simulated or resampled
    """

    budgets: tuple[float, ...] | None = None
    estimator: str | float = "unbiased"
    confidence: float = 0.95
    band: Method = "equal_local_levels"
    support: tuple[float, float] | None = None
    best_so_far: bool = False
    extrapolate: tuple[float, ...] = ()
    bootstrap: bool = False
    mean_cost: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_estimator(self.estimator)
        check_band(self.band, self.support)
        check_budgets(self.budgets)
        if not 0 < self.confidence < 1:
            raise InputError(f"the confidence must lie between 0 and 1, received {self.confidence:g}")
        many = len(self.extrapolate) > MOST_EXTRAPOLATED
        if many or any(budget != int(budget) or budget < 1 for budget in self.extrapolate):
            raise InputError(f"extrapolate: expected at most {MOST_EXTRAPOLATED} whole numbers of trials")

    @property
    def of_mean(self) -> bool:
        """Whether the curve is of the expected best, not of a quantile."""
        return quantile_level(self.estimator) is None

    @property
    def statistic(self) -> str:
        """The estimator, as in tables: `unbiased`, `median`, `quantile 0.9`."""
        return self.estimator if isinstance(self.estimator, str) else f"quantile {self.estimator:g}"


def check_estimator(estimator: str | float) -> None:
    """InputError for an estimator there is not."""
    try:
        if quantile_level(estimator) is None:
            named(estimator)
    except ValueError as error:
        raise InputError(f"estimator: {error}") from error


def check_band(band: str, support: tuple[float, float] | None) -> None:
    """InputError for a band there is not, or a support that is no interval."""
    if band not in METHODS:
        raise InputError(f"unknown band '{band}'{did_you_mean(band, METHODS)} (known: {', '.join(METHODS)})")
    if support is not None and not (len(support) == 2 and -math.inf < support[0] < support[1] < math.inf):
        raise InputError(
            f"the support is the least and the greatest score there can be, such as 0,1; received {support}"
        )


def check_budgets(budgets: tuple[float, ...] | None) -> None:
    """InputError for budgets that are none."""
    if budgets is not None and not (budgets and all(map(_is_amount, budgets))):
        raise InputError(f"budgets must be finite numbers above 0, received {budgets}")


def _is_amount(budget: object) -> bool:
    return isinstance(budget, numbers.Real) and 0 < float(budget) < math.inf
