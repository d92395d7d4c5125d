"""What a trial reads, whatever its inputs are: splits of texts in token ids, or of images."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from greenexp.tasks.pixels import PixelSplit, PixelTask, taken
from greenexp.tasks.tokens import TokenisedSplit, TokenisedTask

PreparedSplit: TypeAlias = TokenisedSplit | PixelSplit
"""Both have `labels`, `columns`, `lengths` (tokens, or pixels, of each example), `numbers(indices)` and `rows`."""
PreparedTask: TypeAlias = TokenisedTask | PixelTask
"""Both have splits, labels, metrics and a fingerprint; `reads` says which it is."""

_Split = TypeVar("_Split", bound=PreparedSplit)


def part(split: _Split, chosen: npt.NDArray[np.int64]) -> _Split:
    """The examples `chosen` of `split`, in that order; what they are made of is shared, not copied."""
    return dataclasses.replace(
        split,
        labels=split.labels[chosen],
        columns={name: values[chosen] for name, values in split.columns.items()},
        rows=chosen if split.rows is None else split.rows[chosen],
    )


def changed(data: PreparedTask, **fields: Any) -> PreparedTask:
    """The task with other values of some fields."""
    return dataclasses.replace(data, **fields)


def copied(split: PreparedSplit, chosen: npt.NDArray[np.int64]) -> PreparedSplit:
    """The examples `chosen` alone, copied: the arrays of the whole would travel with them."""
    if isinstance(split, PixelSplit):
        return taken(split, chosen)
    some, whole = part(split, chosen), split.numbers(chosen)
    pieces = [slice(int(split.offsets[row]), int(split.offsets[row + 1])) for row in whole]
    lengths = [piece.stop - piece.start for piece in pieces]
    return dataclasses.replace(
        some,
        ids=np.concatenate([split.ids[piece] for piece in pieces]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        type_ids=None if split.type_ids is None else np.concatenate([split.type_ids[piece] for piece in pieces]),
        rows=None,
    )
