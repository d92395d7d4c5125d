"""Metrics over resampled examples, against the metrics of tasks on the examples themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from greenexp.replay.logits import StoredLogits
from greenexp.replay.resampling import UNDEFINED, can_be_resampled, example_answers, resampled_scores
from greenexp.tasks.metrics import METRICS, score

OF_CLASSES, OF_NUMBERS = ("accuracy", "f1", "macro_f1", "matthews", "loss"), ("pearson", "loss")


def stored(rng: np.random.Generator, classes: int, examples: int = 40, exits: int = 3) -> StoredLogits:
    logits = rng.normal(size=(exits, examples, classes))
    labels = rng.normal(size=examples).astype(np.float32) if classes == 1 else rng.integers(0, classes, examples)
    return StoredLogits.of(logits, labels, np.full(examples, 7), np.arange(1, exits + 1))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 3, 5]))
def test_a_sample_scores_what_its_examples_score(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    logits = stored(rng, classes, examples=int(rng.integers(2, 30)))
    examples = len(logits.labels)
    drawn = rng.integers(examples, size=(3, examples))
    weights = np.stack([np.bincount(row, minlength=examples) for row in drawn])
    for metric in OF_NUMBERS if classes == 1 else OF_CLASSES:
        if metric in {"f1", "accuracy_and_f1"} and classes > 2:
            continue
        found = resampled_scores(metric, example_answers(logits, metric), weights)
        names = [] if metric == "loss" else [metric]
        for row, of_sample in zip(drawn, found, strict=True):
            truth = [each[metric] for each in score(names, logits.logits[:, row], logits.labels[row])]
            expected = [UNDEFINED if value is None else value for value in truth]
            assert of_sample == pytest.approx(expected, rel=1e-5, abs=1e-6), metric


def test_what_cannot_be_resampled_is_known() -> None:
    rng = np.random.default_rng(0)
    classes, numbers = example_answers(stored(rng, 2), "accuracy"), example_answers(stored(rng, 1), "pearson")
    assert can_be_resampled("accuracy", classes)
    assert not can_be_resampled("loss", classes), "losses are kept where they are the metric"
    assert not can_be_resampled("accuracy", numbers)
    assert not can_be_resampled("spearman", numbers)
    assert set(METRICS) - {"spearman", "pearson_and_spearman"} == {
        name for name in METRICS if can_be_resampled(name, numbers if METRICS[name].is_regression else classes)
    }
    assert classes.answers.dtype == np.int8
