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

from collections.abc import Sequence
from dataclasses import dataclass

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
        inside = spread_order([one for _, one in members]).index(members.index(newcomer))
        return FrontPlace(front + 1, sum(map(len, self._fronts[:front])) + inside + 1)

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
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def spread_order(vectors: Sequence[Vector]) -> list[int]:
    """The places of the vectors of one front, in the order that keeps it spread; O(n^2).

    Distances are Euclidean, each component scaled by its range over these vectors (0 where that is 0), so that the
    units of the objectives do not matter. Of equally good ones the first goes first.
    """
    if not vectors:
        return []
    scaled = list(zip(*(_scaled(component) for component in zip(*vectors, strict=True)), strict=True))
    chosen = max(range(len(vectors)), key=lambda place: vectors[place][0])
    order, left = [chosen], [place for place in range(len(vectors)) if place != chosen]
    nearest = {place: _square(scaled[place], scaled[chosen]) for place in left}
    while left:
        chosen = max(left, key=nearest.__getitem__)
        left.remove(chosen)
        order.append(chosen)
        for place in left:
            nearest[place] = min(nearest[place], _square(scaled[place], scaled[chosen]))
    return order


def _scaled(component: Sequence[float]) -> list[float]:
    low, high = min(component), max(component)
    return [(value - low) / (high - low) if high > low else 0.0 for value in component]


def _square(one: Vector, other: Vector) -> float:
    """The square of a distance, which has its order."""
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
