"""Policies that leave at the first exit confident enough: all thresholds by one sort.

With c_k the confidence at exit k, an example leaves at the first k with c_k >= threshold, that is with r_k >= threshold
for the running maximum r_k = max(c_1, ..., c_k). So the places it can leave at are those where r_k rises, and as the
threshold falls it moves from the last exit to the latest such place when the threshold reaches r_k there, and on to
earlier ones. Every r_k that rises is one event; sorted by value they give the outcome at every threshold. A confidence
that is NaN is never enough. The last exit is not asked: everybody left leaves there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.records.replay.family import Staircase
from greenexp.records.replay.record import Ints

Confidence = npt.NDArray[np.floating[Any]]


def first_confident(confidence: Confidence, threshold: float) -> Ints:
    """Place of the first exit with confidence >= threshold, else of the last; int64 [example].

    confidence: [exit, example]; the threshold is rounded to its type first, as torch does in the stream form.
    """
    with np.errstate(over="ignore"):
        limit = confidence.dtype.type(threshold)
    leaves = confidence >= limit
    leaves[-1] = True
    first: Ints = leaves.argmax(axis=0)
    return first


def confidence_staircase(confidence: Confidence, nobody: float) -> Staircase:
    """The outcome at every distinct threshold, from `nobody` (above every confidence) downwards.

    confidence: [exit, example]. O(E log E) for E <= exits x examples events.
    """
    exits, examples = confidence.shape
    running = np.where(np.isnan(confidence[:-1]), -np.inf, confidence[:-1]).astype(confidence.dtype, copy=False)
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
    return Staircase(
        thresholds=np.concatenate(([nobody], value[new].astype(np.float64))),
        start=np.full(examples, exits - 1, dtype=np.int64),
        point=np.cumsum(new),
        example=example[order],
        before=before[order],
        after=after[order],
    )
