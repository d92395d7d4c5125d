"""Splits and subsets by hash: the same everywhere, in any order, without doubles across."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from greenexp.errors import InputError
from greenexp.tasks import Split
from greenexp.tasks.partition import cut, normalised, positions, subset, take

TEXTS = st.lists(st.text(max_size=8), min_size=1, max_size=40)


def a_split(size: int, classes: int = 2) -> Split:
    rng = np.random.default_rng(1)
    labels = np.minimum(rng.integers(0, 3 * classes, size), classes - 1).astype(np.int64)
    return Split([f"text {i}" for i in range(size)], labels, columns={"number": np.arange(size)})


@pytest.mark.parametrize(
    ("one", "other"),
    [("A plain film.", "a  PLAIN film"), ("ﬁne", "Fine!"), ("!!", " !! "), ("caf\u00e9", "cafe\u0301")],
)
def test_texts_that_differ_in_form_alone_are_the_same(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_other_texts_are_not() -> None:
    assert len({normalised(text) for text in ("a b", "ab", "b a", "!", "?", "")}) == 6


@given(TEXTS)
def test_positions_depend_on_nothing_but_the_text(texts: list[str]) -> None:
    found = positions(texts)
    assert ((found >= 0) & (found < 1)).all()
    assert [float(positions([text])[0]) for text in texts] == found.tolist()


def test_positions_are_a_promise() -> None:
    """Other values would move examples between the splits of recorded sweeps."""
    assert positions(["A plain film.", "naïve"]).round(6).tolist() == [0.226679, 0.191757]
    assert positions(["one"], ["two"], "subset").round(6).tolist() == [0.979491]


def test_pairs_and_purposes_count() -> None:
    found = [positions(["a"]), positions(["a"], ["b"]), positions(["a"], ["c"]), positions(["a"], purpose="subset")]
    assert len({float(value[0]) for value in found}) == 4


def test_parts_have_their_shares_and_hold_everything_once() -> None:
    whole = a_split(4000)
    parts = cut(whole, [0.1, 0.2])
    assert [len(part) for part in parts] == pytest.approx([2800, 400, 800], rel=0.08)
    numbers = np.concatenate([part.columns["number"] for part in parts])
    assert sorted(numbers.tolist()) == list(range(4000))


@given(TEXTS)
def test_doubles_never_straddle(texts: list[str]) -> None:
    doubled = [*texts, *(f" {text.upper()}!" for text in texts)]
    split = Split(doubled, np.zeros(len(doubled), dtype=np.int64))
    sides = [{normalised(text) for text in part.texts} for part in cut(split, [0.3, 0.3])]
    assert sum(map(len, sides)) == len(set().union(*sides))


@pytest.mark.parametrize("shares", [[1.0], [0.6, 0.4], [-0.1]])
def test_shares_leave_something(shares: list[float]) -> None:
    with pytest.raises(InputError, match="leave something"):
        cut(a_split(10), shares)


@given(st.integers(1, 60), st.integers(1, 5))
def test_a_subset_is_stratified_and_keeps_the_order(size: int, classes: int) -> None:
    whole = a_split(60, classes)
    part = subset(whole, size, "train")
    assert len(part) == size
    assert (np.diff(part.columns["number"]) > 0).all()
    for label in range(classes):
        share = (whole.labels == label).mean()
        assert abs((part.labels == label).sum() - share * size) < 1


def test_a_subset_does_not_depend_on_the_order_of_the_split() -> None:
    whole = a_split(60)
    mixed = take(whole, np.random.default_rng(3).permutation(60))
    assert set(subset(whole, 20, "train").texts) == set(subset(mixed, 20, "train").texts)


def test_a_subset_of_values_is_by_hash_alone() -> None:
    whole = Split([f"text {i}" for i in range(30)], np.linspace(0, 5, 30, dtype=np.float32))
    assert len(subset(whole, 7, "dev")) == 7


def test_more_than_there_is_is_refused() -> None:
    with pytest.raises(InputError, match=r"dev: 11 .*10"):
        subset(a_split(10), 11, "dev")
    assert len(subset(a_split(10), None, "dev")) == 10
