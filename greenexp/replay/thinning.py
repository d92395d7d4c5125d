"""Fewer operating points without losing a choice: a policy's fronts, and evenly spaced ones of the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from greenexp.replay.steps import evenly

MOST = 5_000
"""Points of one policy of one trial in the tables: a hundred trials with four policies then stay within 200 MB."""


def thinned_points(points: pd.DataFrame, *, minimize: bool, most: int = MOST) -> pd.DataFrame:
    """At most about `most` rows of one policy's operating points, in their order; all of them if they are no more.

    Kept in any case are the points that no other beats in score at fewer inference_flops, or at fewer mean_layers, so
    that fronts and the best score within any price are what they were; a point without a score is on no front.
    """
    if len(points) <= most:
        return points
    score = points["score"].to_numpy(dtype=np.float64)
    fronts = [_front(points[price].to_numpy(np.float64), -score if minimize else score)
              for price in ("inference_flops", "mean_layers")]  # fmt: skip
    kept = np.unique(np.concatenate(fronts))
    others = np.setdiff1d(np.arange(len(points)), kept)
    filling = others[evenly(len(others), max(most - len(kept), 2))]
    return points.iloc[np.union1d(kept, filling)].reset_index(drop=True)


def _front(price: npt.NDArray[np.float64], score: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Places of the points with a higher score than every cheaper one; the later of equal ones."""
    places = np.arange(len(price))
    order = np.lexsort((-places, -score, price))
    order = order[~np.isnan(score[order])]
    best = np.maximum.accumulate(score[order]) if len(order) else score[order]
    rises = np.append(True, best[1:] > best[:-1])[: len(order)]
    front: npt.NDArray[np.int64] = order[rises]
    return front
