"""Two searches at a budget: how far apart their tuning curves are, how sure that is, and where they cross.

The band of the difference. Let [L_A, U_A] and [L_B, U_B] be simultaneous bands of the two curves, each of confidence
1 - (1 - C)/2. The curve of A leaves its band at some budget with probability at most (1 - C)/2, and so does that of B;
one or the other happens with probability at most 1 - C (Bonferroni). Otherwise, at every budget,

    L_A - U_B  <=  curve_A - curve_B  <=  U_A - L_B,

so these bounds hold at all budgets together with probability at least C. Where L_A > U_B the bands part: A's curve is
above, and the probability that any budget at all is named wrongly is at most 1 - C. (Were the searches surely
independent, each band could have confidence sqrt(C), 0.9747 instead of 0.975 for C = 0.95. That gains nothing, and
searches that share data splits or seeds are not surely independent.)

`apart` is about the curves, which average over searches. P(A > B) of `analysis.comparing.better` is about one search
against another; it can be far from 1/2 while the curves are not told apart, and the other way round.

Assumptions: those of `analysis.curves.bands`; for P(A > B), also that the searches are independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from greenexp.analysis.comparing.better import probability_better
from greenexp.analysis.curves.bands import NO_SUPPORT, Method
from greenexp.analysis.curves.best_distribution import better_at
from greenexp.analysis.curves.curve_bands import tuning_curve_band
from greenexp.analysis.curves.over_cost import MEAN, ORDERS, CurveOverCost, Process, curve_over_cost
from greenexp.analysis.curves.renewal import steps_of
from greenexp.analysis.curves.tuning_curve import MEDIAN, Estimator, named, quantile_level, tuning_curve
from greenexp.analysis.numbers.rounding import difference, tied
from greenexp.records.arrays import Floats

CONFIDENCES = (0.8, 0.95)
COMPARED = ("budget", "n_a", "n_b", "curve_a", "curve_b", "difference", "probability_better")
COMPARED_OVER_COST = (
    "budget", "curve_a", "curve_b", "difference", "standard_error", "probability_better", "nothing_a", "nothing_b",
)  # fmt: skip
REGION_COLUMNS = ("confidence", "better", "first", "last", "budgets")
CROSSING_COLUMNS = ("before", "after", "better_before", "better_after")


@dataclass(frozen=True, eq=False)
class BandedCurve:
    """A tuning curve at some budgets, with a band for each confidence that a *difference* of two such is to have.

    estimate: [B]; lower, upper: confidence -> [B], NaN where no band is known
    """

    estimate: Floats
    lower: Mapping[float, Floats]
    upper: Mapping[float, Floats]


def banded_curve(
    scores: ArrayLike,
    n: ArrayLike,
    estimator: Estimator | str | float = MEDIAN,
    confidences: Sequence[float] = CONFIDENCES,
    method: Method = "equal_local_levels",
    support: tuple[float, float] = NO_SUPPORT,
    minimize: bool = False,
) -> BandedCurve:
    """The curve of `scores` at `n` trials, [B], with bands of confidence 1 - (1 - C)/2 for each C of `confidences`.

    An expectation has a band only with a finite `support`. Raises ValueError as `tuning_curve` and its band do.
    """
    level = quantile_level(estimator)
    estimate = tuning_curve(scores, n, estimator, minimize)
    if level is None and not all(map(math.isfinite, support)):
        unknown = dict.fromkeys(confidences, np.full(estimate.size, np.nan))
        return BandedCurve(estimate, unknown, unknown)
    kind = "mean" if level is None else level
    bands = {
        confidence: tuning_curve_band(scores, n, 1 - (1 - confidence) / 2, kind, method, support, minimize)
        for confidence in confidences
    }
    sides = ({c: band[side].to_numpy() for c, band in bands.items()} for side in ("lower", "upper"))
    return BandedCurve(estimate, *sides)


def difference_table(a: BandedCurve, b: BandedCurve, minimize: bool = False) -> pd.DataFrame:
    """curve_a, curve_b, difference, and for each confidence lower_C, upper_C, apart_C; see `compare_at`."""
    columns: dict[str, Any] = {
        "curve_a": a.estimate,
        "curve_b": b.estimate,
        "difference": difference(a.estimate, b.estimate),
    }
    above, below = ("b", "a") if minimize else ("a", "b")
    for confidence in a.lower:
        name = percent(confidence)
        low = difference(a.lower[confidence], b.upper[confidence])
        high = difference(a.upper[confidence], b.lower[confidence])
        columns[f"lower_{name}"], columns[f"upper_{name}"] = low, high
        columns[f"apart_{name}"] = np.where(low > 0, above, np.where(high < 0, below, ""))
    return pd.DataFrame(columns)


def compare_at(
    a: ArrayLike,
    b: ArrayLike,
    budgets: ArrayLike,
    estimator: Estimator | str | float = MEDIAN,
    confidences: Sequence[float] = CONFIDENCES,
    method: Method = "equal_local_levels",
    support: tuple[float, float] = NO_SUPPORT,
    minimize: bool = False,
    cost_a: float = 1.0,
    cost_b: float = 1.0,
) -> pd.DataFrame:
    """A and B at each budget, with the band of their difference for each of `confidences`.

    a: [N_a], b: [N_b], finite scores. budgets: [B]; numbers of trials, or, with cost_a and cost_b the cost of one trial
    of each (equal within each search, else `compare_over_cost`), amounts in that unit: n_a = floor(budget / cost_a).
    estimator: as in `tuning_curve`; an expectation has a band only with a finite `support`, else its bounds are NaN.

    Scores that differ by rounding alone are equal. One row per budget. COMPARED: n_a, n_b, the trials each can pay for;
    curve_a, curve_b; difference, a - b, in the scores' unit; probability_better, of a, exact (weights `biased` if that
    is the estimator, else `unbiased`). And for each confidence, 80 for 0.8: lower_80, upper_80, of the difference;
    apart_80: `a` or `b`, whichever is better where the bands part, else "".
    Raises ValueError as these do, so for budgets that pay for no trial of one, or more than either has.
    """
    a, b = tied(a, b)
    whole = cost_a == cost_b == 1.0
    sizes = [_affordable(budgets, cost, name, whole) for cost, name in ((cost_a, "cost_a"), (cost_b, "cost_b"))]
    weights: Estimator = "unbiased" if quantile_level(estimator) is not None else named(estimator)
    curves = [
        banded_curve(scores, n, estimator, confidences, method, support, minimize)
        for scores, n in zip((a, b), sizes, strict=True)
    ]
    table = difference_table(curves[0], curves[1], minimize)
    table["probability_better"] = [
        probability_better(a, b, int(x), int(y), weights, minimize) for x, y in zip(*sizes, strict=True)
    ]
    table = table.assign(budget=np.asarray(budgets), n_a=sizes[0], n_b=sizes[1])
    return table[[*COMPARED, *(column for column in table if column not in COMPARED)]]


def compare_over_cost(
    a: ArrayLike,
    costs_a: ArrayLike,
    b: ArrayLike,
    costs_b: ArrayLike,
    budgets: ArrayLike,
    rng: np.random.Generator | None = None,
    *,
    estimator: Process = "without_replacement",
    statistic: str | float = MEAN,
    minimize: bool = False,
    orders: int = ORDERS,
) -> pd.DataFrame:
    """A and B at equal cost, each trial at its own price: renewal curves of both (`over_cost`) and P(A > B).

    a, b: scores, NaN for a trial that crashed; costs_a, costs_b: of the same trials, in one unit; budgets: [B], in that
    unit, up to the lesser of the two sums of costs; the rest as in `curve_over_cost`.
    One row per budget, COMPARED_OVER_COST: the curves and their difference; standard_error, of the difference, by the
    simulation alone (0 where exact); probability_better: P(what A has in hand is better), having nothing being worse
    than any score and a tie counting half; nothing_a, nothing_b: P(nothing finished). There is no band: none is known
    that holds for trials of unequal cost. Raises ValueError as `curve_over_cost` does.
    """
    found = [
        curve_over_cost(scores, costs, budgets, minimize, rng, estimator=estimator, statistic=statistic, orders=orders)
        for scores, costs in ((a, costs_a), (b, costs_b))
    ]
    return difference_over_cost(*found)


def difference_over_cost(a: CurveOverCost, b: CurveOverCost) -> pd.DataFrame:
    """COMPARED_OVER_COST of two curves at the same budgets; see `compare_over_cost`."""
    curve_a, curve_b = (side.table["best"].to_numpy() for side in (a, b))
    error_a, error_b = (side.table["standard_error"].to_numpy() for side in (a, b))
    columns = (
        a.table["budget"].to_numpy(),
        curve_a,
        curve_b,
        difference(curve_a, curve_b),
        np.hypot(error_a, error_b),
        better_at(a.distribution, b.distribution),
        a.table["nothing_finished"],
        b.table["nothing_finished"],
    )
    return pd.DataFrame(dict(zip(COMPARED_OVER_COST, columns, strict=True)))


def regions(table: pd.DataFrame) -> pd.DataFrame:
    """Ranges of budgets over which one is better, from `compare_at`, whose budgets must ascend.

    A row per confidence and unbroken run of budgets with the same name in apart_*: confidence, in percent as in the
    column's name; better, `a` or `b`; first, last, the run's ends, both inclusive; budgets, how many were looked at in
    between. Nothing is claimed about budgets that were not in the table.
    """
    _ascending(table)
    rows = []
    for column in (str(name) for name in table.columns if str(name).startswith("apart_")):
        run = (table[column] != table[column].shift()).cumsum()
        for _, part in table[table[column] != ""].groupby(run, sort=True):
            ends = part["budget"].iloc[0], part["budget"].iloc[-1]
            rows.append((float(column.removeprefix("apart_")), part[column].iloc[0], *ends, len(part)))
    return pd.DataFrame(rows, columns=list(REGION_COLUMNS))


def crossings(table: pd.DataFrame, minimize: bool = False) -> pd.DataFrame:
    """Where the estimated curves change places, from `compare_at` or `compare_over_cost`; budgets must ascend.

    A row per change of the difference's sign: before, after, the neighbouring budgets between which it happens (where
    the curves are equal for a while, the last one before and the first one after); better_before, better_after. An
    estimate: whether the lead on either side is more than chance is in `regions`.
    """
    _ascending(table)
    lead = np.sign(table["difference"].to_numpy(dtype=np.float64)) * (-1 if minimize else 1)
    places = np.flatnonzero(np.nan_to_num(lead))
    change = np.flatnonzero(np.diff(lead[places]))
    budgets = table["budget"].to_numpy()
    names = np.where(lead > 0, "a", "b")
    before, after = places[change], places[change + 1]
    columns = (budgets[before], budgets[after], names[before], names[after])
    return pd.DataFrame(dict(zip(CROSSING_COLUMNS, columns, strict=True)))


def percent(confidence: float) -> str:
    """A confidence in the name of a column: 80 for 0.8, 99.5 for 0.995."""
    return f"{100 * confidence:g}"


def _affordable(budgets: ArrayLike, cost: float, name: str, whole: bool) -> NDArray[np.int64]:
    given = np.asarray(budgets, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all():
        raise ValueError("budgets must be a list of finite numbers")
    if not (math.isfinite(cost) and cost > 0):
        raise ValueError(f"{name} must be finite and above 0, received {cost}")
    if whole and (given != np.floor(given)).any():
        raise ValueError("budgets must be whole numbers of trials, unless a trial has a cost")
    return steps_of(given, cost)


def _ascending(table: pd.DataFrame) -> None:
    if not (np.diff(table["budget"].to_numpy(dtype=np.float64)) > 0).all():
        raise ValueError("the table's budgets must ascend")
