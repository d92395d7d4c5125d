"""Batches: every example once, like lengths together, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from greenexp.errors import InputError
from greenexp.tasks.batches import POOL_BATCHES, dev_batches, epoch_batches, first_part, halved_batches, pad
from greenexp.tasks.tokens import TokenisedSplit

lengths_of = st.lists(st.integers(1, 60), min_size=1, max_size=300).map(lambda x: np.array(x, dtype=np.int64))


@given(lengths_of, st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(0, 50))
def test_each_example_exactly_once(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> None:
    for batches in (epoch_batches(lengths, batch_size, seed, epoch), dev_batches(lengths, batch_size)):
        assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(len(lengths)))
        sizes = sorted(map(len, batches))
        assert sizes[-1] <= batch_size
        assert all(size == batch_size for size in sizes[1:])


@given(lengths_of, st.integers(1, 40), st.integers(0, 99))
def test_depends_on_seed_and_epoch_alone(lengths: np.ndarray, batch_size: int, seed: int) -> None:
    first, again = (epoch_batches(lengths, batch_size, seed, 3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_epochs_and_seeds_differ() -> None:
    lengths = np.full(100, 7)
    orders = {tuple(np.concatenate(epoch_batches(lengths, 8, s, e)).tolist()) for s in range(3) for e in range(3)}
    assert len(orders) == 9


@given(lengths_of, st.integers(1, 40), st.integers(0, 99), st.integers(0, 9), st.floats(0.05, 0.95))
def test_two_disjoint_parts_in_pairs_of_batches(
    lengths: np.ndarray, batch_size: int, seed: int, epoch: int, share: float
) -> None:
    size = first_part(len(lengths), share)
    assume(0 < size < len(lengths))
    pairs = halved_batches(lengths, batch_size, seed, epoch, share)
    first = np.concatenate([batch for batch, _ in pairs])
    second = np.unique(np.concatenate([batch for _, batch in pairs]))
    assert len(pairs) == -(-size // batch_size)
    assert len(first) == len(np.unique(first)) == size
    assert not set(first) & set(second)
    if -(-(len(lengths) - size) // batch_size) <= len(pairs):
        assert len(first) + len(second) == len(lengths)


def test_parts_are_drawn_anew_for_every_epoch_and_seed() -> None:
    def first(seed: int, epoch: int) -> set[int]:
        return set(np.concatenate([batch for batch, _ in halved_batches(np.ones(40, np.int64), 4, seed, epoch, 0.5)]))

    assert first(0, 1) == first(0, 1)
    assert len({frozenset(first(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_batches_of_a_pair_have_lengths_of_their_own() -> None:
    lengths = np.random.default_rng(0).integers(4, 60, 2000)
    pairs = halved_batches(lengths, 16, seed=0, epoch=1, share=0.5)
    means = np.array([[lengths[first].mean(), lengths[second].mean()] for first, second in pairs])
    assert abs(np.corrcoef(means.T)[0, 1]) < 0.5  # with one order for both parts: above 0.99


def test_a_part_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"3 training examples.*0\.1"):
        halved_batches(np.ones(3, np.int64), 1, 0, 1, 0.1)


def test_little_is_padded() -> None:
    lengths = np.random.default_rng(0).integers(5, 60, size=32 * POOL_BATCHES)
    padded = sum(len(b) * lengths[b].max() for b in epoch_batches(lengths, 32, 0, 1))
    random = np.random.default_rng(1).permutation(len(lengths)).reshape(-1, 32)
    by_chance = sum(len(b) * lengths[b].max() for b in random)
    assert padded < 1.1 * lengths.sum() < 1.5 * lengths.sum() < by_chance


def test_long_batches_do_not_come_in_order() -> None:
    lengths = np.arange(1, 321)
    longest = [lengths[b].max() for b in epoch_batches(lengths, 10, 0, 1)]
    assert longest != sorted(longest)


@pytest.mark.parametrize(("lengths", "batch_size"), [(np.array([], dtype=np.int64), 4), (np.ones(3, np.int64), 0)])
def test_nothing_to_batch_is_refused(lengths: np.ndarray, batch_size: int) -> None:
    with pytest.raises(InputError):
        epoch_batches(lengths, batch_size, 0, 1)
    with pytest.raises(InputError):
        dev_batches(lengths, batch_size)


def split(with_types: bool = False) -> TokenisedSplit:
    ids = np.array([5, 6, 7, 8, 9, 10], dtype=np.int32)
    types = np.array([0, 0, 1, 0, 1, 0], dtype=np.int8) if with_types else None
    made = TokenisedSplit(ids, np.array([0, 3, 5, 6]), np.array([1, 0, 1]), types)
    for array in (made.ids, made.offsets, made.labels):
        array.flags.writeable = False  # as in shared memory
    return made


def test_padded_to_the_longest_of_the_batch() -> None:
    batch = pad(split(with_types=True), np.array([2, 0]), pad_id=99)
    assert batch.input_ids.tolist() == [[10, 99, 99], [5, 6, 7]]
    assert batch.attention_mask is not None
    assert batch.attention_mask.tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch.type_ids is not None
    assert batch.type_ids.tolist() == [[0, 0, 0], [0, 0, 1]]
    assert batch.labels.tolist() == [1, 1]
    assert batch.lengths.tolist() == [1, 3]
    assert batch.input_ids.flags.writeable
    assert batch.labels.flags.writeable


def test_no_mask_where_nothing_is_padded() -> None:
    batch = pad(split(), np.array([1]), pad_id=0)
    assert batch.attention_mask is None
    assert batch.type_ids is None
    assert batch.input_ids.shape == (1, 2)
