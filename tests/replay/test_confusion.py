"""Confusion against sums written out, and the area against all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from greenexp.analysis.exits.confusion import confusion as over_trials
from greenexp.replay import ExitRecord
from greenexp.replay.confusion import area_under_roc, confusion, confusion_scores


def record(exits: int = 4, examples: int = 53, classes: int = 3, seed: int = 0) -> ExitRecord:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(exits, examples, classes)).astype(np.float32)
    lengths = np.full(examples, 9)
    return ExitRecord(logits, rng.integers(0, classes, examples), lengths)


def test_scores_are_sums_of_distances() -> None:
    found = record()
    for example, score in enumerate(confusion_scores(found)):
        powers = np.exp(found.logits[:, example].astype(float))
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        expected = sum(abs(p - q) for one in probabilities[:-1] for p, q in zip(one, probabilities[-1], strict=True))
        assert score == pytest.approx(expected)


def test_parts_and_area_by_brute_force() -> None:
    found = record()
    table, scores = confusion(found), confusion_scores(found)
    wrong = found.predictions()[-1] != found.labels
    order = sorted(range(53), key=lambda example: scores[example])
    assert table["examples"].tolist() == [6, 6, 6, 5, 5, 5, 5, 5, 5, 5]
    assert table["wrong"].iloc[0] == pytest.approx(np.mean([wrong[example] for example in order[:6]]))
    assert table["confusion"].iloc[-1] == pytest.approx(np.mean([scores[example] for example in order[-5:]]))
    pairs = [(scores[i] > scores[j]) + (scores[i] == scores[j]) / 2 for i in range(53) for j in range(53)
             if wrong[i] and not wrong[j]]  # fmt: skip
    assert table["area"].tolist() == pytest.approx([np.mean(pairs)] * 10)


def test_ties_count_half() -> None:
    positive = np.array([True, False, True, False])
    assert area_under_roc(np.array([1.0, 1.0, 2.0, 0.0]), positive) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert np.isnan(area_under_roc(np.zeros(4), np.zeros(4, dtype=bool)))


@pytest.mark.parametrize("none", [record(exits=1), record(classes=1)])
def test_one_exit_and_regression_have_none(none: ExitRecord) -> None:
    if none.logits.shape[2] == 1:
        none = ExitRecord(none.logits, none.labels.astype(np.float64), none.lengths)
    assert confusion(none).empty


def test_of_few_examples_each_is_a_part() -> None:
    assert confusion(record(examples=3))["examples"].tolist() == [1, 1, 1]


def test_means_over_trials_weigh_parts_by_their_examples() -> None:
    rows = confusion(record()).assign(trial="a")
    found = over_trials(rows)
    one = record()
    assert found.trials["wrong"].tolist() == pytest.approx([(one.predictions()[-1] != one.labels).mean()])
    assert found.parts["wrong_std"].isna().all()
