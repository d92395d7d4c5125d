"""Folds: the same for everybody, stratified, nothing on both sides, and the ids in one place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.errors import InputError
from greenexp.records.trial import Fold
from greenexp.tasks.batches import dev_batches, pad
from greenexp.tasks.clauses import Clauses
from greenexp.tasks.data import Split, TaskData
from greenexp.tasks.folds import fold_numbers, on_fold
from greenexp.tasks.partition import positions
from greenexp.tasks.prepared import part
from greenexp.tasks.tokens import TokenisedSplit, TokenisedTask, tokenise, word_tokenizer


@pytest.fixture(scope="module")
def data() -> TokenisedTask:
    task = Clauses(train=101, dev=40, test=20).load()
    return tokenise(task, word_tokenizer(task.train.texts), 32)


def texts_of(split: TokenisedSplit) -> list[tuple[int, ...]]:
    """The real tokens of every example, by way of the batches."""
    found: dict[int, tuple[int, ...]] = {}
    for indices in dev_batches(split.lengths, 7):
        batch = pad(split, indices, 0)
        for place, row, length in zip(indices, batch.input_ids, batch.lengths, strict=True):
            found[int(place)] = tuple(row[:length].tolist())
    return [found[place] for place in range(len(split))]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=60), st.integers(2, 6))
def test_folds_are_balanced_and_follow_positions(drawn: list[tuple[int, int]], folds: int) -> None:
    at = np.array([place / 31 for place, _ in drawn])
    labels = np.array([label for _, label in drawn])
    if len(set(at)) < folds:
        with pytest.raises(InputError, match=f"seeds.folds is {folds}"):
            fold_numbers(at, labels, folds)
        return
    numbers = fold_numbers(at, labels, folds)
    lowest = {place: int(labels[at == place].min()) for place in at}
    for place in at:
        assert len(set(numbers[at == place])) == 1, "equal texts are in one fold"
    groups = {place: int(numbers[at == place][0]) for place in at}
    for kept in (list(groups), *([p for p in groups if lowest[p] == label] for label in set(lowest.values()))):
        sizes = np.bincount([groups[place] for place in kept], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    order = np.random.default_rng(0).permutation(len(at))
    assert np.array_equal(fold_numbers(at[order], labels[order], folds), numbers[order]), "whatever the order"


def test_values_are_dealt_by_hash_alone() -> None:
    at = np.random.default_rng(1).random(20)
    numbers = fold_numbers(at, np.linspace(0, 1, 20, dtype=np.float32), 4)
    assert numbers[np.argsort(at)].tolist() == [place % 4 for place in range(20)]


def test_every_example_is_left_out_once_and_trained_on_otherwise(data: TokenisedTask) -> None:
    every = texts_of(data.train)
    left_out = []
    for number in range(5):
        fold = on_fold(data, Fold(number, 5))
        assert len(fold.train) + len(fold.dev) == len(data.train)
        assert sorted([*texts_of(fold.train), *texts_of(fold.dev)]) == sorted(every)
        assert not set(texts_of(fold.train)) & set(texts_of(fold.dev))
        assert abs(fold.dev.labels.mean() - data.train.labels.mean()) < 0.05
        left_out += texts_of(fold.dev)
        assert not set(texts_of(data.dev)) & set(texts_of(fold.dev)), "the task's own dev set stays unseen"
        assert fold.test is data.test
    assert sorted(left_out) == sorted(every)


def test_labels_and_columns_belong_to_the_texts(data: TokenisedTask) -> None:
    every = texts_of(data.train)
    facts = dict(zip(every, zip(data.train.labels, data.train.columns["level"], strict=True), strict=True))
    fold = on_fold(data, Fold(2, 3))
    for split in (fold.train, fold.dev):
        found = zip(texts_of(split), split.labels, split.columns["level"], strict=True)
        assert all(facts[text] == (label, level) for text, label, level in found)
        assert split.lengths.tolist() == [len(text) for text in texts_of(split)]


def test_the_ids_are_shared_and_fingerprints_differ(data: TokenisedTask) -> None:
    folds = [on_fold(data, Fold(number, 3)) for number in range(3)] + [on_fold(data, Fold(0, 4))]
    for fold in folds:
        assert np.shares_memory(fold.train.ids, data.train.ids)
        assert np.shares_memory(fold.dev.ids, data.train.ids)
    assert len({data.fingerprint, *(fold.fingerprint for fold in folds)}) == 5
    assert folds[0].fingerprint == on_fold(data, Fold(0, 3)).fingerprint
    assert folds[1].description.endswith("fold 1 of 3, counted from 0, in the place of dev")
    assert on_fold(data, None) is data


def test_a_part_of_a_part(data: TokenisedTask) -> None:
    first = part(data.train, np.arange(10, 40))
    second = part(first, np.array([3, 0, 29]))
    every = texts_of(data.train)
    assert texts_of(second) == [every[13], every[10], every[39]]


def test_folds_do_not_depend_on_the_tokeniser() -> None:
    task = Clauses(train=60, dev=20, test=20).load()
    tokenizers = word_tokenizer(task.train.texts), word_tokenizer(task.train.texts, max_words=12)
    labels = [on_fold(tokenise(task, each, length), Fold(1, 4)).dev.labels
              for each, length in zip(tokenizers, (32, 6), strict=True)]  # fmt: skip
    assert np.array_equal(*labels)


def test_doubles_are_on_one_side_even_with_other_labels() -> None:
    texts = ["A good film.", "a good film", "so so", "bad", "never again", "fine!"]
    split = Split(texts, np.array([1, 0, 0, 0, 1, 1]))
    task = TaskData(split, split, None, 2, ("no", "yes"))
    data = tokenise(task, word_tokenizer(texts), 16)
    assert data.positions is not None
    assert np.array_equal(data.positions, positions(texts, purpose="folds"))
    numbers = fold_numbers(data.positions, split.labels, 5)
    assert numbers[0] == numbers[1]
    assert sorted(set(numbers)) == list(range(5))
    with pytest.raises(InputError, match=r"seeds\.folds is 6.*5 different"):
        on_fold(data, Fold(0, 6))


def test_tokens_made_otherwise_have_no_folds(data: TokenisedTask) -> None:
    with pytest.raises(ValueError, match="positions"):
        on_fold(dataclasses.replace(data, positions=None), Fold(0, 2))
