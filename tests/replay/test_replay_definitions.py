"""Policies against their definitions, one example and one exit at a time in plain Python."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_records import made_costs, random_record, records

from greenexp.errors import InputError
from greenexp.replay import ExitRecord, exits_taken, operating_points, softmax
from greenexp.replay.naming import resolve

several = settings(max_examples=40, deadline=None)


def answers_of(record: ExitRecord, policy: Any) -> list[float]:
    family = resolve(policy)[1]
    return family.answers(record)[family.taken(record), np.arange(len(record.labels))].tolist()


def predicted(logits: np.ndarray) -> int:
    """Of several largest the first; -1 if a logit is NaN."""
    return -1 if np.isnan(logits).any() else int(np.argmax(logits))


def pabee(record: ExitRecord, example: int, patience: int) -> int:
    counter, before = 0, -1
    for number, logits in zip(record.numbers, record.logits[:, example], strict=True):
        now = predicted(logits)
        counter = counter + 1 if now == before != -1 else 0
        if counter == patience > 0:
            return int(number)
        before = now
    return int(record.numbers[-1])


@several
@given(records())
def test_patience_counts_exits_that_agree(record: ExitRecord) -> None:
    everybody = range(len(record.labels))
    for patience in range(7):
        assert exits_taken(record, f"patience:{patience}").tolist() == [pabee(record, n, patience) for n in everybody]


@several
@given(records())
def test_more_patience_never_leaves_earlier(record: ExitRecord) -> None:
    exits = len(record.numbers)
    taken = [exits_taken(record, f"patience:{patience}") for patience in range(1, exits + 2)]
    assert all((more >= less).all() for less, more in pairwise(taken))
    for patience in (0, max(exits - 1, 1), exits, exits + 1):
        assert set(exits_taken(record, f"patience:{patience}")) == {record.numbers[-1]}
    for patience, outcome in enumerate(taken[: exits - 1], start=1):
        assert (outcome >= record.numbers[patience]).all()


@several
@given(records(regression=True), st.integers(0, 4), st.sampled_from([0.0, 1e-45, 0.5, 1.0, 2.0, 3e38, math.inf]))
def test_patience_of_numbers_counts_small_differences(record: ExitRecord, patience: int, tolerance: float) -> None:
    values = record.logits[:, :, 0]
    expected = []
    for example in range(values.shape[1]):
        counter, found = 0, len(values) - 1
        for place in range(1, len(values)):
            with np.errstate(all="ignore"):
                near = abs(values[place, example] - values[place - 1, example]) < np.float32(tolerance)
            counter = counter + 1 if near else 0
            if counter == patience > 0:
                found = place
                break
        expected.append(int(record.numbers[found]))
    taken = exits_taken(record, {"name": "patience", "patience": patience, "tolerance": tolerance})
    assert taken.tolist() == expected


def test_patience_with_one_exit_has_one_point() -> None:
    record = random_record(exits=1)
    assert operating_points(record, "patience", made_costs(record))["threshold"].tolist() == [1.0]
    numbers = ExitRecord(np.zeros((1, 4, 1)), np.arange(4.0), [1] * 4)
    assert operating_points(numbers, "patience", made_costs(numbers))["threshold"].tolist() == [0.0]


def test_patience_of_numbers_is_swept_over_one_field_and_shows_the_other() -> None:
    rng = np.random.default_rng(0)
    record = ExitRecord(rng.normal(size=(6, 30, 1)), rng.normal(size=30), [3] * 30)
    for given_policy, label in [
        ("patience", "patience:patience=3"),
        ("patience:2", "patience:patience=2"),
        ({"name": "patience", "tolerance": 0.5}, "patience:tolerance=0.5"),
    ]:
        points = operating_points(record, given_policy, made_costs(record))
        assert set(points["policy"]) == {label}
        for row in points.to_dict("records"):
            policy = {"name": row["policy"], "threshold": row["threshold"]}
            assert 2 * exits_taken(record, policy).mean() == pytest.approx(row["mean_layers"])
    assert points["threshold"].tolist() == [1, 2, 3, 4, 5]


def test_patience_takes_a_tolerance_for_numbers_alone() -> None:
    with pytest.raises(InputError, match="needs a tolerance"):
        exits_taken(ExitRecord(np.zeros((2, 3, 1)), [0.1, 0.2, 0.3], [1, 1, 1]), "patience")
    with pytest.raises(InputError, match="regression output alone"):
        exits_taken(random_record(), "patience:tolerance=0.5")


@several
@given(records(), st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.sampled_from([0.5, 1.0, 1.4142135623730951, 2.0, 3.0]))
def test_voting_counts_votes(record: ExitRecord, exponent: float, threshold: float) -> None:
    taken, answers = [], []
    for example in range(len(record.labels)):
        votes: Counter[int] = Counter()
        for count, logits in enumerate(record.logits[:, example], start=1):
            if predicted(logits) >= 0:
                votes[predicted(logits)] += 1
            most = max(votes.values(), default=0)
            if (most and most / float(count) ** exponent >= threshold) or count == len(record.numbers):
                taken.append(int(record.numbers[count - 1]))
                answers.append(min((kind for kind in votes if votes[kind] == most), default=0))
                break
    policy = {"name": "voting", "exponent": exponent, "threshold": threshold}
    assert exits_taken(record, policy).tolist() == taken
    assert answers_of(record, policy) == answers


@several
@given(records(), st.floats(0, 1.25, width=32))
def test_the_most_confident_exit_answers_the_unsure(record: ExitRecord, threshold: float) -> None:
    """As Shallow-Deep's official code: full cost, and the first of several equally confident exits."""
    policy = {"name": "max_probability", "threshold": threshold}
    confidence, own = softmax.max_probability(record), record.answers()
    sure = {**policy, "unsure": "most_confident"}
    assert exits_taken(record, sure).tolist() == exits_taken(record, policy).tolist()
    for example, answer in enumerate(answers_of(record, sure)):
        asked = confidence[:, example]
        confident = np.flatnonzero(asked >= np.float32(threshold))
        if len(confident):
            expected = own[confident[0], example]
        elif np.isnan(asked).all():
            expected = own[-1, example]
        else:
            expected = own[np.nanargmax(asked), example]
        assert answer == expected


@several
@given(records())
def test_the_oracle_leaves_at_the_first_exit_that_is_right(record: ExitRecord) -> None:
    right = record.predictions() == record.labels
    for never, place in (("last", -1), ("first", 0)):
        expected = [
            record.numbers[np.flatnonzero(column)[0]] if column.any() else record.numbers[place] for column in right.T
        ]
        assert exits_taken(record, f"oracle:never_right={never}").tolist() == expected


def test_the_oracle_bounds_every_policy() -> None:
    record = random_record()
    costs = made_costs(record)
    bound = operating_points(record, "oracle", costs)
    assert bound["threshold"].isna().tolist() == [True]
    for label in ("max_probability", "entropy", "patience"):
        assert operating_points(record, label, costs)["accuracy"].max() <= bound["accuracy"][0]


def test_a_learned_exit_is_asked_everywhere_but_at_the_last() -> None:
    """Strictly below; NaN and what is no probability let nobody leave; regression is as good as classes."""
    said = np.array([[0.3, 0.2, np.nan, -0.1, 1.0], [0.0, 0.0, np.inf, 2.0, 0.3], [np.nan] * 5])
    for classes in (1, 2):
        record = ExitRecord(np.zeros((3, 5, classes)), np.zeros(5), [1] * 5, None, said)
        assert exits_taken(record, "learned:0.3").tolist() == [2, 1, 3, 3, 3]
        assert exits_taken(record, "learned:0.3,comparator=<=").tolist() == [1, 1, 3, 3, 2]
        assert exits_taken(record, "learned:2=1").tolist() == [2, 2, 3, 3, 2]
    with pytest.raises(InputError, match="none"):
        exits_taken(random_record(), "learned")


def test_the_entropy_is_that_of_softmax() -> None:
    record = random_record(classes=7)
    shares = np.exp(record.logits.astype(np.float64))
    shares /= shares.sum(axis=2, keepdims=True)
    expected = -(shares * np.log(shares)).sum(axis=2)
    np.testing.assert_allclose(softmax.entropy(record, False), expected, rtol=1e-6)
    np.testing.assert_allclose(softmax.entropy(record, True), expected / math.log(7), rtol=1e-6)


def test_a_threshold_of_strict_comparators_is_the_next_number() -> None:
    logits = np.zeros((2, 3, 2))
    logits[0, 1, 1], logits[0, 2, 1] = 1.0, 2000.0
    record = ExitRecord(logits, [0, 1, 1], [1, 1, 1])
    values = sorted(set(softmax.entropy(record, False)[0].tolist()))
    above = [float(np.nextafter(np.float32(value), np.float32(9))) for value in values]
    costs = made_costs(record)
    assert operating_points(record, "entropy", costs)["threshold"].tolist() == [-1.0, *above]
    assert operating_points(record, "entropy:comparator=<=", costs)["threshold"].tolist() == [-1.0, *values]
    assert values[0] == 0.0
    assert exits_taken(record, "entropy:0").tolist() == [2, 2, 2]
    assert exits_taken(record, "entropy:0,comparator=<=").tolist() == [2, 2, 1]
