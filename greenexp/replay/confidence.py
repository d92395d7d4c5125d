"""Policies that leave at the first exit confident enough: all thresholds by one sort.

With c_k the confidence at exit k, an example leaves at the first k with c_k >= threshold, that is with r_k >= threshold
for the running maximum r_k = max(c_1, ..., c_k). So the places it can leave at are those where r_k rises, and as the
threshold falls it moves from the last exit to the latest such place when the threshold reaches r_k there, and on to
earlier ones. Every r_k that rises is one event; sorted by value they give the outcome at every threshold. A confidence
that is NaN is never enough. The last exit is not asked: everybody left leaves there.

The other comparators follow: with c_k > threshold the same happens at the next lower float of the confidence's type,
which is therefore the point's threshold; an uncertainty u_k < or <= threshold is a confidence -u_k > or >= -threshold,
and the sign of a float is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.replay.family import Staircase
from greenexp.replay.fields import Threshold, limit_at
from greenexp.replay.record import Ints

Confidence = npt.NDArray[np.floating[Any]]


def first_confident(confidence: Confidence, limits: Any, comparator: str) -> Ints:
    """Place of the first exit at which `confidence comparator limits` holds, else of the last; int64 [example].

    confidence: [exit, example], for `<` and `<=` an uncertainty; limits: a number, or [exit, 1], NaN for nobody
    """
    compare = {">=": np.greater_equal, ">": np.greater, "<": np.less, "<=": np.less_equal}[comparator]
    leaves = compare(confidence, limits)
    leaves[-1] = True
    first: Ints = leaves.argmax(axis=0)
    return first


def limits_at(threshold: Threshold, numbers: Ints) -> npt.NDArray[np.float32]:
    """Each exit's threshold for `first_confident`, float32 [exit, 1]; NaN for an exit that has none."""
    return np.array([[limit_at(threshold, int(number))] for number in numbers], dtype=np.float32)


def confidence_staircase(confidence: Confidence, nobody: float, comparator: str) -> Staircase:
    """The outcome at every distinct threshold, one for all exits, from `nobody` (at which everybody stays) onwards.

    confidence: [exit, example], for `<` and `<=` an uncertainty. Each point's threshold reproduces it exactly.
    O(E log E) for E <= exits x examples events.
    """
    rising = comparator in {">=", ">"}
    exits, examples = confidence.shape
    usable = confidence[:-1] if rising else -confidence[:-1]
    running = np.where(np.isnan(usable), -np.inf, usable).astype(confidence.dtype, copy=False)
    np.maximum.accumulate(running, axis=0, out=running)
    rises = running > -np.inf
    rises[1:] &= running[1:] > running[:-1]
    example, after = np.nonzero(rises.T)
    value = running[after, example]
    before = np.full_like(after, exits - 1)  # where an example was before it moves here: its next rise, or the end
    if len(after):
        follows = example[1:] == example[:-1]
        before[:-1][follows] = after[1:][follows]
    order = np.argsort(-value)  # not stable: ties are one point, and a sum does not mind their order
    value = value[order]
    new = np.ones(len(value), dtype=np.bool_)
    new[1:] = value[1:] != value[:-1]
    distinct = value[new]
    if comparator in {">", "<"}:
        distinct = np.nextafter(distinct, distinct.dtype.type(-np.inf))
    thresholds = distinct.astype(np.float64)
    return Staircase(
        thresholds=np.concatenate(([nobody], thresholds if rising else -thresholds)),
        start=np.full(examples, exits - 1, dtype=np.int64),
        point=np.cumsum(new),
        example=example[order],
        before=before[order],
        after=after[order],
    )
