"""Which scores a sweep's report asks the way to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from greenexp.analysis.numbers.rounding import difference
from greenexp.analysis.sweeps.metric import SweepMetric

IN_POINTS = ("accuracy", "f1", "macro_f1", "matthews", "pearson", "spearman")
"""Metrics of which 0.01 is a point, and 1 the best there can be."""
POINTS, SHARES = (0.0, 0.5, 1.0), (0.0, 0.1, 0.25)


def in_points(metric: SweepMetric) -> bool:
    """Whether 0.01 of the metric is a point."""
    return metric.name in IN_POINTS and not metric.minimize


def targets(scores: NDArray[np.float64], metric: SweepMetric) -> dict[str, float]:
    """What it is called -> the score: the best, and 0.5 and 1 points below it, or what the best 10 and 25 % reach."""
    sign = -1.0 if metric.minimize else 1.0
    descending = np.sort(sign * scores)[::-1]
    if in_points(metric):
        found = {_of_points(points): descending[0] - points / 100 for points in POINTS}
    else:
        at = {share: max(1, math.floor(share * descending.size)) - 1 for share in SHARES}
        found = {_of_share(share): descending[place] for share, place in at.items()}
    named: dict[str, float] = {}
    for name, value in found.items():
        aim = float(sign * value)
        if (difference(list(named.values()), aim) != 0).all():
            named[name] = aim
    return named


def _of_points(points: float) -> str:
    return f"{points:g} point{'' if points == 1 else 's'} below" if points else "best seen"


def _of_share(share: float) -> str:
    return f"best {100 * share:g} %" if share else "best seen"
