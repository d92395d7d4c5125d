"""Pareto fronts, and the area a front dominates.

Point a dominates point b if a is at least as good in every column and better in one. So copies of a point do not
dominate each other: if one is on the front, all are. A row with a NaN was not measured completely: it is never on the
front and removes no other row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from greenexp.errors import did_you_mean

Directions = str | Sequence[str]
_SIGNS = {"min": 1.0, "max": -1.0}


def pareto_front(points: ArrayLike, directions: Directions = "min") -> NDArray[np.bool_]:
    """Which rows of `points` no other row dominates.

    points: [N, d]; directions: `min` or `max` for all columns, or one of them for each; result: [N] booleans.
    Infinite values are ordinary values. O(N log N) for d = 2, O(N x front) otherwise.
    Raises ValueError for a wrong shape or an unknown direction.
    """
    costs = as_costs(points, directions)
    rows = np.flatnonzero(~np.isnan(costs).any(axis=1))
    front = np.zeros(len(costs), dtype=np.bool_)
    if rows.size:
        unique, place = np.unique(costs[rows], axis=0, return_inverse=True)
        keep = _front_2d(unique) if unique.shape[1] == 2 else _front_any(unique)
        front[rows] = keep[place.reshape(-1)]
    return front


def hypervolume(points: ArrayLike, reference: ArrayLike, directions: Directions = "min") -> float:
    """Volume of what the points dominate, up to the reference point: in two columns, an area.

    For minimisation and the front a_1 < a_2 < ..., b_1 > b_2 > ...: sum_k (r_1 - a_k)(b_{k-1} - b_k) with b_0 = r_2
    (Zitzler & Thiele 1998). points: [N, d]; reference: [d], the worst corner; unit: product of the columns' units.
    Rows with a NaN, and rows not better than the reference in every column, add nothing; copies add nothing; no rows:
    0.0. More than two columns are left to the package moocore, which is LGPL and not installed with this one.
    Raises ValueError for a reference that is not finite, an infinitely good value, and if moocore is missing.
    """
    costs = as_costs(points, directions)
    columns = costs.shape[1]
    reference = np.asarray(reference, dtype=np.float64).reshape(1, -1)
    if reference.shape[1] != columns or not np.isfinite(reference).all():
        raise ValueError(f"the reference must be {columns} finite numbers, received {reference[0].tolist()}")
    corner = as_costs(reference, directions)[0]
    inside = costs[(costs < corner).all(axis=1)]  # false for NaN
    if np.isneginf(inside).any():
        raise ValueError("a point with an infinitely good value dominates an infinite area")
    if not len(inside):
        return 0.0
    unique = np.unique(inside, axis=0)
    if columns != 2:
        return _volume(unique[_front_any(unique)], corner)
    front = unique[_front_2d(unique)]
    heights = np.concatenate(([corner[1]], front[:-1, 1])) - front[:, 1]
    return float(((corner[0] - front[:, 0]) * heights).sum())


def _volume(front: NDArray[np.float64], corner: NDArray[np.float64]) -> float:
    """Of a front in one column, or in three and more."""
    if front.shape[1] == 1:
        return float(corner[0] - front[0, 0])
    try:
        import moocore
    except ImportError as error:
        raise ValueError(
            f"the hypervolume in {front.shape[1]} columns is moocore's, which is not installed: pip install moocore"
        ) from error
    return float(moocore.hypervolume(front, ref=corner))


def _front_2d(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of distinct rows in lexicographic order: those whose second column is below all before."""
    best = np.minimum.accumulate(rows[:, 1])
    keep = np.ones(len(rows), dtype=np.bool_)
    keep[1:] = rows[1:, 1] < best[:-1]
    return keep


def _front_any(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Of distinct rows in lexicographic order (so only earlier rows can dominate): those no kept row dominates."""
    keep = np.zeros(len(rows), dtype=np.bool_)
    for k, row in enumerate(rows):
        keep[k] = not (rows[:k][keep[:k]] <= row).all(axis=1).any()
    return keep


def as_costs(points: ArrayLike, directions: Directions) -> NDArray[np.float64]:
    """`points` with the maximised columns negated."""
    values = np.asarray(points, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"points must be a table [rows, columns], received shape {values.shape}")
    names = [directions] * values.shape[1] if isinstance(directions, str) else list(directions)
    if len(names) != values.shape[1]:
        raise ValueError(f"{len(names)} directions for {values.shape[1]} columns")
    for name in names:
        if name not in _SIGNS:
            raise ValueError(f"unknown direction '{name}'{did_you_mean(name, _SIGNS)} (known: min, max)")
    costs: NDArray[np.float64] = values * np.array([_SIGNS[name] for name in names], dtype=np.float64)
    return costs
