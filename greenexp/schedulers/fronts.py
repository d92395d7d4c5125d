"""Units in an order over several objectives: fronts by dominance, and inside a front one that keeps it spread.

A vector *dominates* another if it is at least as great in every component and greater in one. Front 1 are the vectors
that no other dominates, front 2 those that only vectors of front 1 dominate, and so on: the non-dominated sorting of
Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II", section III-A.

Inside a front the order is the greedy one of an epsilon-net: first the vector that is best in the first component, then
always the one whose distance to the nearest of those already taken is greatest. So every beginning of the order covers
the front as evenly as a greedy choice can. Source: Clarkson 2006, "Nearest-neighbor searching and metric space
dimensions"; Salinas et al. 2021 and Schmucker et al. 2021 (arXiv:2106.12639) order configurations so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, ...]
"""Signed so that greater is better, finite, the same number of components for all."""


@dataclass(frozen=True, slots=True)
class FrontPlace:
    """Where a vector stands: `front` from 1, and its `place` in the whole order, from 1."""

    front: int
    place: int


class Fronts:
    """The fronts of the vectors that have come, kept as further ones come.

    A vector that comes goes into the first front that has nothing that dominates it; what it dominates there goes on to
    the next front, and so on. Since every member of a front is dominated by one of the front before, that first front
    is found by halving.
    """

    def __init__(self) -> None:
        self._fronts: list[list[tuple[int, Vector]]] = []  # (order of arrival, vector)
        self._count = 0

    def add(self, vector: Vector) -> FrontPlace:
        """Take in a vector; where it stands among all that have come. Of equal ones, the earlier comes first."""
        newcomer = (self._count, vector)
        self._count += 1
        front = self._first_without_dominator(vector)
        self._insert(front, newcomer)
        members = sorted(self._fronts[front])
        wanted = members.index(newcomer)
        order = enumerate(spread_order([one for _, one in members]), start=1)
        inside = next(place for place, member in order if member == wanted)
        return FrontPlace(front + 1, sum(map(len, self._fronts[:front])) + inside)

    def _first_without_dominator(self, vector: Vector) -> int:
        low, high = 0, len(self._fronts)
        while low < high:
            middle = (low + high) // 2
            if any(dominates(one, vector) for _, one in self._fronts[middle]):
                low = middle + 1
            else:
                high = middle
        return low

    def _insert(self, front: int, newcomer: tuple[int, Vector]) -> None:
        """Put the newcomer into its front, and push down what that displaces."""
        coming = [newcomer]
        while front < len(self._fronts):
            here = self._fronts[front]
            pushed = [one for one in here if any(dominates(other[1], one[1]) for other in coming)]
            if len(pushed) == len(here):  # the whole front, and so all below it, is one front lower
                break
            moved = set(pushed)
            self._fronts[front] = [one for one in here if one not in moved] + coming
            if not pushed:
                return
            coming, front = pushed, front + 1
        self._fronts.insert(front, coming)


def dominates(one: Vector, other: Vector) -> bool:
    """Whether `one` is at least as good as `other` in every component and better in one."""
    for mine, theirs in zip(one, other, strict=True):  # a loop, as it is most of the work of a large sweep
        if mine < theirs:
            return False
    return one != other


def spread_order(vectors: Sequence[Vector]) -> Iterator[int]:
    """The places of the vectors of one front, in the order that keeps it spread, one after the other; O(n) for each.

    Distances are Euclidean, each component scaled by its range over these vectors (0 where that is 0), so that the
    units of the objectives do not matter. Of equally good ones the first goes first.
    """
    components = np.array(vectors, dtype=np.float64).T
    scaled = [_scaled(component) for component in components]
    nearest = np.full(len(vectors), np.inf)
    chosen = int(np.argmax(components[0]))
    for _ in vectors:
        yield chosen
        # Component by component, so that the sum is the same on every machine. The squares have the distances' order.
        square = sum(((component - component[chosen]) ** 2 for component in scaled), np.zeros(len(vectors)))
        nearest = np.minimum(nearest, square)
        nearest[chosen] = -np.inf
        chosen = int(np.argmax(nearest))


def _scaled(component: NDArray[np.float64]) -> NDArray[np.float64]:
    half = component / 2  # a range of finite values may be infinite, that of their halves is not
    span = half.max() - half.min()
    return (half - half.min()) / span if span > 0 else np.zeros_like(component)
