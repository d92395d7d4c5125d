"""The generated task: balanced, without doubles or leaks, the same on every machine."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.errors import InputError
from greenexp.tasks import TASKS, Split, TaskData
from greenexp.tasks.clauses import ADJECTIVES, LEVELS, NEGATIONS, Clauses, capacity


@pytest.fixture(scope="module")
def data() -> TaskData:
    return Clauses(train=4000, dev=1000, test=1000).load()


def polarity(clause: str) -> int:
    """An independent reading of a clause."""
    words = clause.split()
    positive = words[-1] in ADJECTIVES[1]
    return int(positive != any(word in NEGATIONS for word in words))


def reading(sentence: str) -> tuple[int, int]:
    """Level and label, from the sentence alone."""
    if " but " in sentence:
        return 2, polarity(sentence.split(" but ")[1])
    if sentence.startswith("although "):
        return 3, polarity(sentence.split(" , ")[1])
    if " although " in sentence:
        return 3, polarity(sentence.split(" although ")[0])
    return int(any(f" {word} " in sentence for word in NEGATIONS)), polarity(sentence)


def every(data: TaskData) -> list[tuple[Split, int]]:
    return [(split, i) for split in data.splits.values() for i in range(len(split))]


def test_labels_and_levels_are_what_the_sentences_say(data: TaskData) -> None:
    for split, i in every(data):
        assert reading(split.texts[i]) == (split.columns["level"][i], split.labels[i]), split.texts[i]


@settings(max_examples=20, deadline=None)
@given(st.integers(20, 400), st.integers(20, 200), st.integers(0, 5))
def test_sizes_balance_and_no_sentence_twice(train: int, other: int, seed: int) -> None:
    data = Clauses(train=train, dev=other, test=other, seed=seed).load()
    texts = [split.texts[i] for split, i in every(data)]
    assert len(texts) == len(set(texts)) == train + 2 * other
    for split in data.splits.values():
        cells = Counter(zip(split.columns["level"].tolist(), split.labels.tolist(), strict=True))
        assert len(cells) == 8
        for level in range(len(LEVELS)):
            assert abs(cells[level, 0] - cells[level, 1]) <= 1


def test_words_do_not_tell_the_label_where_order_should(data: TaskData) -> None:
    """In levels 2 and 3 the share of positive sentences among those with a word is 1/2 within five standard errors."""
    for level in (2, 3):
        rows = [(s.texts[i].split(), s.labels[i]) for s, i in every(data) if s.columns["level"][i] == level]
        positive, total = Counter(), Counter()
        for words, label in rows:
            for word in set(words):
                total[word] += 1
                positive[word] += int(label)
        for word, count in total.items():
            assert abs(positive[word] / count - 0.5) < 5 * 0.5 / np.sqrt(count), (level, word)


def test_words_other_than_adjectives_do_not_tell_the_label(data: TaskData) -> None:
    positive, total = Counter(), Counter()
    for split, i in every(data):
        for word in set(split.texts[i].split()) - {*ADJECTIVES[0], *ADJECTIVES[1]}:
            total[word] += 1
            positive[word] += int(split.labels[i])
    for word, count in total.items():
        assert abs(positive[word] / count - 0.5) < 5 * 0.5 / np.sqrt(count), word


def test_one_adjective_means_opposite_things_plain_and_negated(data: TaskData) -> None:
    means = {
        level: {int(s.labels[i]) for s, i in every(data) if s.columns["level"][i] == level and "clever" in s.texts[i]}
        for level in (0, 1)
    }
    assert means == {0: {1}, 1: {0}}


def test_same_fields_same_sentences_and_the_seed_matters() -> None:
    first, again, other = Clauses().load(), Clauses().load(), Clauses(seed=1).load()
    assert first.train.texts == again.train.texts
    assert np.array_equal(first.dev.labels, again.dev.labels)
    assert set(first.train.texts) != set(other.train.texts)


def test_default_sentences_never_change() -> None:
    """A recorded sweep names its task by these fields: other sentences under the same name would be another task."""
    assert Clauses(train=20, dev=20, test=20).load().train.texts[:3] == PINNED


PINNED = (
    "the plot looks ugly",
    "the film looks so boring",
    "the acting feels fresh although the setting was very ugly",
)


def test_too_many_sentences_are_refused_with_the_number_there_is() -> None:
    most = 5 * capacity(0)
    with pytest.raises(InputError, match=f"at most {most:,} sentences"):
        Clauses(train=most, dev=500).load()


@pytest.mark.parametrize(("fields", "message"), [({"train": 4}, "train is 4"), ({"seed": -1}, "seed is -1")])
def test_bad_fields(fields: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Clauses(**fields)


def test_every_level_can_be_drawn_to_its_last_sentence() -> None:
    """The numbers of a level are its sentences: all of level 0 are different."""
    data = Clauses(train=5 * capacity(0) - 40, dev=20, test=20).load()
    plain = [s.texts[i] for s, i in every(data) if s.columns["level"][i] == 0]
    assert len(plain) == len(set(plain)) == 2 * capacity(0)


def test_registry_knows_it() -> None:
    assert TASKS["clauses"] is Clauses
