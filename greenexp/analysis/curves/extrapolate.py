"""What more trials would bring: a parametric extrapolation of the tuning curve, always with its back-test.

Beyond the N trials that were made, neither U nor V nor a band from the observed scores says anything: the best score
that exists was perhaps not seen. A model of the upper tail does (`analysis.curves.tail`), if it is true. The q-quantile
of the best of n is then Q(q^(1/n)), Q being the model's quantile function.

Whether it is true is asked of the trials themselves. To extrapolate by the factor r = largest budget / N, they are
split at random into N / (1 + r) and the rest, r times as many; the tail is fitted to the former alone, and its curve at
the size of the rest compared with that of the rest, which no fit has seen. So it is tested at the same factor, from
fewer trials than are at hand; where too few would be left to fit, at the largest factor that leaves MIN_FITTED, and
`tested_factor` says so. Errors contain the chance in what the rest found, so even the true model has some. Beside them
stand the errors of not extrapolating: the best score of the fitted part.

Only for random search: adaptive searches improve faster or slower than independent draws, and no tail says how.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from greenexp.analysis.curves.bands import NO_SUPPORT
from greenexp.analysis.curves.tail import MODELS, Model, Tail, fit_tail
from greenexp.analysis.curves.tuning_curve import MEDIAN, quantile_level, tuning_curve
from greenexp.errors import did_you_mean
from greenexp.records.arrays import Floats

MIN_FITTED = 24
REPEATS = 20
EXTRAPOLATION_COLUMNS = ("budget", "best", "extrapolated", "back_test_error")
BACK_TEST_COLUMNS = ("fitted_on", "budget", "predicted", "observed", "error", "error_without")


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """A tuning curve beyond the trials that were made, by a model, and how that model did on held-out trials.

    table: budget; best, the quantile of the best of n by the model (NaN where it says nothing, n too small);
        extrapolated, n > N; back_test_error, the root mean square error at `tested_factor`, the same in each row
    back_test: a row per random split: fitted_on (trials), budget (trials held out, n), predicted, observed, error
        (predicted - observed), error_without (of the best fitted score in place of the prediction)
    tail: what was fitted to all trials, where more is better (scores negated if less is)
    """

    table: pd.DataFrame
    back_test: pd.DataFrame
    tail: Tail
    trials: int

    @property
    def tested_factor(self) -> float:
        """By which factor the back-test extrapolates."""
        return float(self.back_test["budget"].iloc[0] / self.back_test["fitted_on"].iloc[0])

    @property
    def rms_error(self) -> float:
        """Root mean square error of the back-test, in the scores' unit."""
        return _rms(self.back_test["error"])

    @property
    def bias(self) -> float:
        """Mean of predicted - observed; in the scores' unit."""
        return float(self.back_test["error"].mean())

    @property
    def rms_error_without(self) -> float:
        """Root mean square error of not extrapolating: of the best score that the model was fitted to."""
        return _rms(self.back_test["error_without"])

    @property
    def summary(self) -> str:
        """One sentence on the back-test."""
        first = self.back_test.iloc[0]
        return (
            f"Back-test ({self.tail.model}): fitted to {int(first['fitted_on'])} trials and asked for the best of "
            f"{int(first['budget'])} others, it errs by {self.rms_error:.3g} (root mean square of "
            f"{len(self.back_test)} random splits; mean {self.bias:+.3g}); not extrapolating errs by "
            f"{self.rms_error_without:.3g}."
        )


def extrapolate(
    scores: ArrayLike,
    budgets: ArrayLike,
    rng: np.random.Generator,
    *,
    model: Model = "bounded",
    estimator: str | float = MEDIAN,
    share: float = 0.5,
    support: tuple[float, float] = NO_SUPPORT,
    minimize: bool = False,
    repeats: int = REPEATS,
) -> Extrapolation:
    """The q-quantile of the best of n trials by a model of the tail, for n also beyond the trials made.

    scores: [N], finite, N >= 2 MIN_FITTED; budgets: [B], whole numbers, >= 1, one of them at least N; rng: splits the
    trials, repeats: how often (opda's fit takes ten seconds, so give few). model: `bounded`, or `noisy_quadratic`,
    opda's; estimator: `median` or a number q in (0, 1); share: of the best scores, to fit to; support: the smallest and
    greatest score there can be. Raises ValueError for anything else.
    """
    level = quantile_level(estimator)
    values, sizes = np.asarray(scores, dtype=np.float64), np.asarray(budgets, dtype=np.float64)
    _check(values, sizes, model, share, repeats)
    if level is None:
        raise ValueError(f"only quantiles are extrapolated: median or a number between 0 and 1, not {estimator!r}")
    sign = -1.0 if minimize else 1.0
    most = max(sign * support[0], sign * support[1])
    if values.min() < min(support) or values.max() > max(support):
        raise ValueError(f"scores do not lie in the support {support[0]:g} to {support[1]:g}")
    upper = 1 - level if minimize else level
    tail = fit_tail(sign * values, model, share, most, rng)
    tested = _back_test(sign * values, float(sizes.max()), model, upper, share, most, rng, repeats)
    tested[["predicted", "observed", "error", "error_without"]] *= sign
    table = pd.DataFrame(
        {
            "budget": np.asarray(budgets),
            "best": sign * tail.quantile(upper ** (1 / sizes)),
            "extrapolated": sizes > values.size,
            "back_test_error": _rms(tested["error"]),
        }
    )
    return Extrapolation(table, tested, tail, values.size)


def _back_test(
    scores: Floats,
    largest: float,
    model: Model,
    level: float,
    share: float,
    most: float,
    rng: np.random.Generator,
    repeats: int,
) -> pd.DataFrame:
    total = scores.size
    fitted_on = max(MIN_FITTED, math.floor(total * total / (total + largest)))
    rows = []
    for _ in range(repeats):
        order = rng.permutation(total)
        seen, rest = scores[order[:fitted_on]], scores[order[fitted_on:]]
        tail = fit_tail(seen, model, share, most, rng)
        predicted = float(tail.quantile(np.array([level ** (1 / rest.size)]))[0])
        if math.isnan(predicted):
            raise ValueError(f"quantile {level:g} of the best of {rest.size} lies below the tail: fit a larger share")
        observed = float(tuning_curve(rest, rest.size, level))
        rows.append((fitted_on, rest.size, predicted, observed, predicted - observed, float(seen.max()) - observed))
    return pd.DataFrame(rows, columns=list(BACK_TEST_COLUMNS))


def _check(values: Floats, sizes: Floats, model: str, share: float, repeats: int) -> None:
    if values.ndim != 1 or not np.isfinite(values).all() or values.size < 2 * MIN_FITTED:
        raise ValueError(
            f"scores must be a list of at least {2 * MIN_FITTED} finite numbers: fewer cannot be fitted and checked"
        )
    if sizes.ndim != 1 or not sizes.size or not (np.isfinite(sizes) & (sizes >= 1) & (sizes == np.floor(sizes))).all():
        raise ValueError("budgets must be a list of whole numbers of trials, each at least 1")
    if sizes.max() < values.size:
        raise ValueError(f"no budget is beyond the {values.size} trials made: the tuning curve itself is known there")
    if model not in MODELS:
        raise ValueError(f"unknown model '{model}'{did_you_mean(model, MODELS)} (known: {', '.join(MODELS)})")
    if not 0 < share <= 0.9 or repeats < 1:
        raise ValueError("the share of scores to fit to must lie between 0 and 0.9, and repeats be at least 1")


def _rms(errors: pd.Series[float]) -> float:
    return float(np.sqrt((errors.to_numpy() ** 2).mean()))
