"""Which examples go together: batches of like lengths, and how a batch is padded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError
from greenexp.tasks.data import Labels
from greenexp.tasks.token_files import stretches_of
from greenexp.tasks.tokens import TokenisedSplit

Indices = npt.NDArray[np.int64]

POOL_BATCHES = 32
"""Batches sorted by length together: enough that a batch's lengths differ by little, few enough to stay random."""


def epoch_batches(lengths: npt.NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> list[Indices]:
    """The training batches of one epoch: each example once, neighbours in length together, in random order.

    A random permutation is cut into pools of `POOL_BATCHES` batches; each pool is sorted by length and cut into
    batches; the batches of the epoch are shuffled. Only one batch may be smaller than `batch_size`. Depends on
    (lengths, batch_size, seed, epoch) only.
    """
    _check(lengths, batch_size)
    rng = np.random.default_rng(np.random.SeedSequence((seed, epoch)))
    order = rng.permutation(len(lengths)).astype(np.int64)
    pool = POOL_BATCHES * batch_size
    batches: list[Indices] = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches.extend(_cut(part, batch_size))
    return [batches[i] for i in rng.permutation(len(batches))]


def halved_batches(
    lengths: npt.NDArray[np.int64], batch_size: int, seed: int, epoch: int, share: float
) -> list[tuple[Indices, Indices]]:
    """The training batches of an epoch in two disjoint parts of the examples, drawn anew for every epoch, in pairs.

    The first part holds `first_part(len(lengths), share)` examples, each once an epoch; the batches of the second part
    begin again where they are fewer. The parts' orders are drawn apart: the batches of a pair have nothing in common,
    not their lengths either. Depends on the arguments only. Raises InputError if a part is empty.
    """
    _check(lengths, batch_size)
    size = first_part(len(lengths), share)
    if not 0 < size < len(lengths):
        raise InputError(f"{len(lengths)} training examples cannot be split into {share:g} and the rest")
    rng = np.random.default_rng(np.random.SeedSequence((seed, epoch), spawn_key=(2,)))
    order = rng.permutation(len(lengths)).astype(np.int64)
    parts = np.sort(order[:size]), np.sort(order[size:])
    first, second = (
        [part[batch] for batch in epoch_batches(lengths[part], batch_size, own, epoch)]
        for part, own in zip(parts, (seed, int(rng.integers(2**32))), strict=True)
    )
    return [(batch, second[index % len(second)]) for index, batch in enumerate(first)]


def first_part(examples: int, share: float | None) -> int:
    """How many of `examples` an epoch goes over if its steps' batches come from `share` of them (None: from all)."""
    return examples if share is None else round(share * examples)


def dev_batches(lengths: npt.NDArray[np.int64], batch_size: int) -> list[Indices]:
    """Batches of an evaluation: all examples, shortest first, so that next to nothing is padded."""
    _check(lengths, batch_size)
    return _cut(np.argsort(lengths, kind="stable").astype(np.int64), batch_size)


def _cut(order: Indices, batch_size: int) -> list[Indices]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def _check(lengths: npt.NDArray[np.int64], batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: at least 1")
    if len(lengths) == 0:
        raise InputError("there are no examples to make batches of")


@dataclass(frozen=True, eq=False)
class PaddedBatch:
    """Examples padded to the longest of them.

    input_ids: int64 [example, position]; attention_mask: int64 of the same shape, 1 on real tokens, or None where
    nothing is padded; type_ids: int64 of the same shape or None; labels: [example]; lengths: int64 [example]
    """

    input_ids: npt.NDArray[np.int64]
    attention_mask: npt.NDArray[np.int64] | None
    type_ids: npt.NDArray[np.int64] | None
    labels: Labels
    lengths: npt.NDArray[np.int64]


def pad(split: TokenisedSplit, indices: Indices, pad_id: int, *, least: int = 0) -> PaddedBatch:
    """The examples `indices` of `split`, in that order, padded on the right; to `least` tokens, if none is longer."""
    rows = split.numbers(indices)
    starts = split.offsets[rows]
    lengths = split.offsets[rows + 1] - starts
    positions = np.arange(max(lengths.max(), least))
    real = positions[None, :] < lengths[:, None]
    ids = np.full(real.shape, pad_id, dtype=np.int64)
    ids[real] = stretches_of(split.ids, starts, lengths)
    types = None if split.type_ids is None else np.zeros(real.shape, dtype=np.int64)
    if types is not None and split.type_ids is not None:
        types[real] = stretches_of(split.type_ids, starts, lengths)
    mask = None if real.all() else real.astype(np.int64)
    return PaddedBatch(ids, mask, types, split.labels[indices], lengths)
