"""Which pool runs next, and which requests go together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenexp.inference.pools import LARGEST_PADDED_SHARE, alike, next_pool

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("sizes", "oldest_s", "chosen"),
    [
        ([0, 0, 0], [0, 0, 0], None),
        ([1, 0, 0], [0, 0, 0], 0),  # nothing else to do: nobody waits
        ([3, 1, 0], [0, 0, 0], 0),  # the fullest
        ([2, 2, 1], [0, 0, 0], 1),  # the deeper of equals
        ([9, 3, 3], [9, 0, 0], 0),  # a full one
        ([9, 8, 3], [9, 0, 0], 1),  # the deepest full one
        ([9, 8, 1], [9, 0, 5], 2),  # one that has waited, and is deeper
        ([1, 7, 0], [5, 1, 0], 0),  # one that has waited goes before a fuller one that has not
        ([9, 0, 0], [0, 7, 7], 0),  # how long an empty pool has been empty does not matter
    ],
)
def test_next_pool(sizes: list[int], oldest_s: list[float], chosen: int | None):
    assert next_pool(sizes, oldest_s, batch_size=8, max_wait_s=5) == chosen


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6), st.integers(1, 9))
def test_whoever_waits_long_enough_is_not_passed_over_by_what_is_below(sizes: list[int], batch_size: int):
    """With all overdue the deepest that is not empty goes: each choice takes someone nearer to the end."""
    chosen = next_pool(sizes, [1.0] * len(sizes), batch_size, max_wait_s=1.0)
    assert chosen == max((i for i, size in enumerate(sizes) if size), default=None)


@given(LENGTHS, st.integers(1, 16))
def test_alike(lengths: list[int], batch_size: int):
    places = alike(lengths, batch_size)
    chosen = [lengths[place] for place in places]
    assert 0 in places
    assert len(set(places)) == len(places) <= batch_size
    assert len(chosen) * max(chosen) - sum(chosen) <= LARGEST_PADDED_SHARE * len(chosen) * max(chosen)
    between = [length for place, length in enumerate(lengths) if place not in places]
    assert not any(min(chosen) < length < max(chosen) for length in between)


@given(st.integers(1, 500), st.integers(1, 40), st.integers(1, 16))
def test_equal_lengths_fill_a_batch(length: int, count: int, batch_size: int):
    assert len(alike([length] * count, batch_size)) == min(count, batch_size)


def test_a_batch_is_not_mostly_padding():
    assert alike([10, 100, 11, 9, 10, 104], 8) == [3, 0, 4, 2]
    assert alike([100, 10, 11, 9, 10, 104], 8) == [0, 5]
