"""Metrics against their definitions and scikit-learn, and what happens where they are undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics as sklearn_metrics
from hypothesis import given
from hypothesis import strategies as st

from greenexp.errors import InputError, UnknownNameError
from greenexp.tasks.metrics import compute, find_metric, matthews, pearson, score, spearman

pairs_of_classes = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 2), min_size=n, max_size=n).map(np.array) for _ in range(2)))
)


@given(pairs_of_classes)
def test_classification_metrics_agree_with_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predictions, labels = pair
    assert compute("accuracy", predictions, labels) == sklearn_metrics.accuracy_score(labels, predictions)
    macro = sklearn_metrics.f1_score(labels, predictions, average="macro", zero_division=0)
    assert compute("macro_f1", predictions, labels) == pytest.approx(macro, abs=1e-12)
    ours = matthews(predictions, labels)
    if len(set(predictions)) == 1 or len(set(labels)) == 1:
        assert ours is None
    else:
        assert ours == pytest.approx(sklearn_metrics.matthews_corrcoef(labels, predictions), abs=1e-12)


@given(pairs_of_classes)
def test_f1_is_of_class_one(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predictions, labels = (np.minimum(side, 1) for side in pair)
    ours = compute("f1", predictions, labels)
    if predictions.sum() + labels.sum() == 0:
        assert ours is None
    else:
        assert ours == pytest.approx(sklearn_metrics.f1_score(labels, predictions, zero_division=0), abs=1e-12)


@given(pairs_of_classes)
def test_classification_metrics_are_what_their_definitions_say(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predictions, labels = (side.tolist() for side in pair)
    found = {name: compute(name, *pair) for name in ("accuracy", "macro_f1", "matthews")}
    every = list(zip(predictions, labels, strict=True))
    assert found["accuracy"] == pytest.approx(sum(p == t for p, t in every) / len(every), abs=1e-12)
    values = [2 * every.count((c, c)) / (predictions.count(c) + labels.count(c)) for c in {*predictions, *labels}]
    assert found["macro_f1"] == pytest.approx(sum(values) / len(values), abs=1e-12)
    size, right = len(every), sum(p == t for p, t in every)
    spread = [size**2 - sum(side.count(c) ** 2 for c in range(3)) for side in (predictions, labels)]
    if 0 in spread:
        assert found["matthews"] is None
    else:
        chance = sum(predictions.count(c) * labels.count(c) for c in range(3))
        expected = (right * size - chance) / math.sqrt(spread[0] * spread[1])
        assert found["matthews"] == pytest.approx(expected, abs=1e-12)


@given(pairs_of_classes)
def test_f1_is_what_its_definition_says(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predictions, labels = (np.minimum(side, 1) for side in pair)
    total = int(predictions.sum() + labels.sum())
    expected = 2 * int((predictions & labels).sum()) / total if total else None
    assert compute("f1", predictions, labels) == (None if expected is None else pytest.approx(expected))


def test_f1_of_three_classes_is_undefined() -> None:
    assert compute("f1", np.array([0, 2]), np.array([0, 1])) is None


def test_correlations() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    y = (np.exp(x)).astype(np.float32)
    assert spearman(x, y) == pytest.approx(1.0)
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([1, 2, 3], np.float32)) == pytest.approx(math.sqrt(3) / 2)


@pytest.mark.parametrize("function", [pearson, spearman])
@pytest.mark.parametrize("x", [[1.0, 1.0, 1.0], [1e8, 1e8, 1e8 + 1e-7], [0.0, np.nan, 1.0], [0.0, np.inf, 1.0]])
def test_correlation_with_a_constant_or_with_nan_is_undefined(function, x: list[float]) -> None:
    y = np.array([1, 2, 3], dtype=np.float32)
    assert function(np.array(x), y) is None
    assert function(y.astype(float), np.full(3, 2, np.float32)) is None


def test_score_of_every_exit() -> None:
    labels = np.array([0, 1, 1])
    logits = np.array([[[2, 0], [0, 2], [2, 0]], [[1, 0], [0, 1], [0, 1]]], dtype=np.float32)
    first, second = score(["accuracy"], logits, labels)
    assert first["accuracy"] == pytest.approx(2 / 3)
    assert second["accuracy"] == 1.0
    right, wrong = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    assert first["loss"] == pytest.approx((2 * right + wrong) / 3)


def test_regression_loss_is_the_mean_squared_error() -> None:
    logits = np.array([[[1.0], [2.0], [4.0]]], dtype=np.float32)
    names = ["pearson", "spearman", "pearson_and_spearman"]
    (only,) = score(names, logits, np.array([1, 2, 3], dtype=np.float32))
    assert only["pearson_and_spearman"] == pytest.approx((only["pearson"] + only["spearman"]) / 2)
    assert only["loss"] == pytest.approx(1 / 3)
    assert only["spearman"] == pytest.approx(1.0)


def test_a_loss_that_is_not_finite_is_none() -> None:
    (only,) = score(["accuracy"], np.full((1, 2, 2), np.nan, np.float32), np.array([0, 1]))
    assert only["loss"] is None


def test_metrics_for_fewer_classes_and_wrong_directions_are_refused() -> None:
    with pytest.raises(InputError, match=r"'f1'.*2 classes.*3.*macro_f1"):
        find_metric("f1", is_regression=False, num_labels=3)
    assert find_metric("f1", is_regression=False, num_labels=2).name == "f1"
    assert find_metric("macro_f1", is_regression=False, num_labels=3, mode="max").name == "macro_f1"
    for name, is_regression in (("accuracy", False), ("pearson", True)):
        with pytest.raises(InputError, match=f"'{name}'.*mode: max"):
            find_metric(name, is_regression, mode="min")


def test_wrong_names_kinds_and_shapes() -> None:
    logits, labels = np.zeros((1, 2, 2), np.float32), np.array([0, 1])
    with pytest.raises(UnknownNameError, match="'accuracy'"):
        score(["acuracy"], logits, labels)
    with pytest.raises(InputError, match="'pearson' is for regression"):
        score(["pearson"], logits, labels)
    with pytest.raises(InputError, match="with 3 examples"):
        score(["accuracy"], logits, np.zeros(3, np.int64))


@pytest.mark.parametrize("function", [pearson, spearman])
def test_equal_float32_labels_are_a_constant(function) -> None:
    """Their mean in float32 is another number than they are."""
    labels = np.full(1379, 0.3, dtype=np.float32)
    assert function(np.arange(1379.0), labels) is None
