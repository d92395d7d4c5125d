"""Whether two rankings of the same units agree, up to a distance that is noise, and what that distance is (pasha)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from greenexp.schedulers.asha import percentile

PERCENT = 90.0
"""The percentile of the distances of crossing curves that counts as noise."""


def same_order(pairs: Sequence[tuple[float, float]], epsilon: float) -> bool:
    """Whether units are ranked by their later values as by their earlier ones, up to `epsilon`.

    pairs: (earlier value, later value) of each unit, in plan order, which ranks equal values; greater is better
    True if at every place the unit that takes it by its later value has an earlier value within `epsilon` of that of
    the unit that takes it by its earlier value: the soft ranking of Bohdal et al. 2023, section 4.
    """
    before = sorted(pairs, key=lambda pair: -pair[0])
    after = sorted(pairs, key=lambda pair: -pair[1])
    return all(abs(one[0] - other[0]) <= epsilon for one, other in zip(before, after, strict=True))


def crossing_distance(curves: Sequence[Sequence[float]]) -> float:
    """The 90th percentile of the distances of the pairs of curves that have crossed at least twice; 0 if none has.

    curves: values after the same epochs, of which one may have more than another. The distance of a pair is that at the
    last epoch that both have. Source: Bohdal et al. 2023, section 4; O(n^2 T).
    """
    distances = sorted(
        abs(one[end] - other[end])
        for one, other in combinations(curves, 2)
        if (end := min(len(one), len(other)) - 1) >= 0 and crossed_twice(one, other)
    )
    return percentile(distances, PERCENT) if distances else 0.0


def crossed_twice(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two curves have had one order, then the other, then the first again where the shorter one ends."""
    signs = [(a > b) - (a < b) for a, b in zip(one, other, strict=False)]
    turned = False
    for sign in reversed(signs[:-1]):
        turned = turned or sign == -signs[-1] != 0
        if turned and sign == signs[-1]:
            return True
    return False
