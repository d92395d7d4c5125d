"""The cost at which training everything to its end comes to the same expected best as a search that stops early."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from greenexp.analysis.curves.tuning_curve import tuning_curve
from greenexp.analysis.numbers.rounding import rounding_of
from greenexp.analysis.stopping.simulate_curves import RecordedCurves
from greenexp.records.arrays import Floats


def full_search(curves: RecordedCurves, *, replace: bool = True) -> Floats:
    """[N, 2]: expected best of n = 1 .. N full runs, exactly, and their expected cost, n x mean full cost.

    V(n) with replacement, U(n) without (`analysis.curves.tuning_curve`), of the recorded runs themselves: exact for
    draws from them. n x mean cost is the expected cost of n runs (Wald), not a budget within which n runs always fit.
    """
    sizes = np.arange(1, len(curves.units) + 1)
    best = tuning_curve(curves.final, sizes, "biased" if replace else "unbiased", curves.minimize)
    return np.column_stack((best, sizes * curves.full_cost.mean()))


def mean_and_error(values: Floats) -> tuple[float, float]:
    """The mean of `values` and its standard error, s / sqrt(R); NaN for the error of one value."""
    error = float(values.std(ddof=1) / math.sqrt(values.size)) if values.size > 1 else math.nan
    return float(values.mean()), error


def equal_result(
    full: Floats, best: float, error: float, cost: float, cost_error: float, *, minimize: bool = False
) -> dict[str, Any]:
    """Full search with the same expected best, and the share of its cost that was saved.

    full: as `full_search` gives it; best, cost: expectations of the search, with their standard errors (NaN: of one
    search, taken as 0 here). equal_trials: the n, not whole, at which full search, on the straight line between whole
    n, reaches `best`; equal_cost = n x mean full cost; saved = 1 - cost / equal_cost, negative if more was spent than
    saved; saved_low and saved_high: the same with best and cost 2 standard errors worse and better. NaN, and
    `no_saving` says why, where full search is already better with one run, or does not get there with all N.
    """
    sign = -1.0 if minimize else 1.0
    curve, mean_cost = sign * full[:, 0], float(full[0, 1])
    slack, cost_slack = np.nan_to_num(2 * np.array([error, cost_error]))
    trials, worse, better = (_trials_for(curve, sign * best + shift) for shift in (0.0, -slack, slack))
    reason = ""
    if math.isnan(trials):
        below = sign * best < curve[0]
        reason = "one full run is better on average" if below else f"better than all {len(curve)} full runs give"
    return {
        "equal_trials": trials,
        "equal_cost": trials * mean_cost,
        "saved": 1 - cost / (trials * mean_cost),
        "saved_low": 1 - (cost + cost_slack) / (worse * mean_cost),
        "saved_high": 1 - (cost - cost_slack) / (better * mean_cost),
        "no_saving": reason,
    }


def _trials_for(curve: Floats, best: float) -> float:
    """The smallest n, not whole, at which the rising `curve` over n = 1, 2, ... reaches `best`; NaN outside it."""
    # The same runs averaged in another order may differ in the last digits.
    slack = rounding_of(curve, [best])
    if best < curve[0] - slack or best > curve[-1] + slack:
        return math.nan
    place = int(np.searchsorted(curve, best - slack))
    if place == 0:
        return 1.0
    below, above = curve[place - 1], curve[place]
    return place + min(1.0, float((best - below) / (above - below)))
