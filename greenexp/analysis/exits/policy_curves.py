"""Score against price of every exit policy, over the seeds of one configuration.

Thresholds of different seeds do not correspond to each other, so curves are not averaged threshold by threshold. For a
policy, a seed s and a price c, with the operating points (score_i, price_i) of that seed,

    best_s(c) = the best score_i over the points that are within the price,    mean(c) = sum_s best_s(c) / S

that is, every seed takes its own threshold. Within the price means speed_up_i >= c, or inference_flops_i <= c. A price
that one of the S seeds cannot meet has no mean.

Assumption: thresholds are chosen on the examples that score them (dev), so every value is optimistic.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from greenexp.analysis.exits.policies import family_of
from greenexp.analysis.numbers.rounding import COST_ROUNDING, raised
from greenexp.records.arrays import Floats
from greenexp.records.policies import STATIC

PRICES = ("speed_up", "inference_flops")
COLUMNS = ("policy", "price", "trials", "score_mean", "score_std")
MOST_TARGETS = 120
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def policy_curves(points: pd.DataFrame, price: str, targets: Floats | None = None, *, minimize: bool) -> pd.DataFrame:
    """COLUMNS, a row per policy that leaves early (bounds included) and target price that all its trials can meet.

    points: as in `SweepTables`, of the trials to be averaged over; price: one of PRICES; targets: `price_grid` if None.
    score_std: over trials, n - 1 (NaN for one).
    """
    rows = []
    grid = price_grid(points, price) if targets is None else targets
    for policy, own in points.dropna(subset=["score", price]).groupby("policy", sort=False):
        if family_of(str(policy)) == STATIC:
            continue
        best = np.array([_best_within(trial, price, grid, minimize) for _, trial in own.groupby("trial", sort=False)])
        for target, values in zip(grid, best.T, strict=True):
            if not np.isnan(values).any():
                spread = float(values.std(ddof=1)) if len(values) > 1 else np.nan
                rows.append((policy, target, len(values), float(values.mean()), spread))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def price_grid(points: pd.DataFrame, price: str) -> Floats:
    """At most `MOST_TARGETS` prices from the least to the largest that occurs: round numbers from 1 for a speed-up."""
    values = points[price].dropna().to_numpy(dtype=np.float64)
    if not values.size:
        return np.empty(0)
    if price != "speed_up":
        return np.unique(np.linspace(values.min(), values.max(), MOST_TARGETS))
    highest = values.max()
    step = next((s for s in _STEPS if (highest - 1) / s < MOST_TARGETS - 1), highest / MOST_TARGETS)
    count = int(raised((highest - 1) / step)) + 1
    return np.asarray(np.round(1 + step * np.arange(count), 6), dtype=np.float64)


def _best_within(points: pd.DataFrame, price: str, targets: Floats, minimize: bool) -> Floats:
    """The best score of one trial's points at each target; NaN where none is within it."""
    # Signs such that less is better and cheaper, so that one sorted pass serves both prices and both metrics.
    sign = -1.0 if price == "speed_up" else 1.0
    order = np.argsort(sign * points[price].to_numpy(), kind="stable")
    prices = sign * points[price].to_numpy()[order]
    losses = np.minimum.accumulate((1.0 if minimize else -1.0) * points["score"].to_numpy()[order])
    limits = sign * targets + COST_ROUNDING * np.abs(targets)  # a speed-up of 1.2 meets a target of 1.2
    place = np.searchsorted(prices, limits, side="right") - 1
    found = np.where(place >= 0, losses[np.maximum(place, 0)], np.nan)
    return np.asarray(found if minimize else -found, dtype=np.float64)


def static_points(points: pd.DataFrame) -> pd.DataFrame:
    """Every exit used alone, a row each, over trials: exit, trials, score_mean, score_std (n - 1), means of prices."""
    alone = points[points["policy"] == STATIC].dropna(subset=["score"])
    columns = {
        "trials": ("trial", "nunique"), "score_mean": ("score", "mean"), "score_std": ("score", "std"),
        "speed_up": ("speed_up", "mean"), "inference_flops": ("inference_flops", "mean"),
    }  # fmt: skip
    frame = alone.groupby("threshold", sort=True).agg(**columns).reset_index()
    return frame.assign(exit=frame["threshold"].astype("int64"))[["exit", *columns]]


def coinciding(curves: pd.DataFrame) -> list[tuple[str, ...]]:
    """Groups of policies whose curves are the same, as those of entropy and probability are with two classes."""
    groups: dict[tuple[tuple[float, float], ...], list[str]] = {}
    for policy, rows in curves.groupby("policy", sort=False):
        line = tuple(zip(rows["price"].round(9), rows["score_mean"].round(9), strict=True))
        groups.setdefault(line, []).append(str(policy))
    return [tuple(names) for names in groups.values() if len(names) > 1]
