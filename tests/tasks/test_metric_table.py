"""One table of metrics; who computes them, for one exit or for all operating points, computes those and no others."""

from __future__ import annotations

import numpy as np
import pytest

from greenexp.errors import InputError
from greenexp.records.metrics import LOSS, MEANS, METRICS, less_is_better, metrics_of
from greenexp.replay import ExitCosts, ExitRecord, operating_points
from greenexp.replay import scores as replayed
from greenexp.tasks import metrics as tasks
from greenexp.tasks.metrics import compute, find_metric, score


def test_both_rooms_have_a_function_for_every_row() -> None:
    assert list(tasks._COMPUTED) == [name for name in METRICS if name not in MEANS]
    assert list(replayed._OF_CLASSES) == [name for name in metrics_of(is_regression=False) if name not in MEANS]
    assert list(replayed._OF_NUMBERS) == [name for name in metrics_of(is_regression=True) if name not in MEANS]
    assert {name: metric.name for name, metric in METRICS.items()} == {name: name for name in METRICS}


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_answer_has_the_best_value_and_worse_ones_lie_on_the_worse_side(name: str) -> None:
    metric = METRICS[name]
    rng = np.random.default_rng(0)
    labels = rng.normal(size=60) if metric.is_regression else rng.integers(0, 2, 60)
    wrong = -labels + 0.1 if metric.is_regression else 1 - labels
    assert compute(name, labels, labels) == pytest.approx(metric.best)
    value = compute(name, wrong, labels)
    assert value is not None
    assert (value > metric.best) == less_is_better(name) == (metric.mode == "min")
    assert find_metric(name, metric.is_regression, mode=metric.mode) is metric


@pytest.mark.parametrize("name", METRICS)
def test_one_exit_is_worth_the_same_by_task_and_by_replay(name: str) -> None:
    rng, is_regression = np.random.default_rng(1), METRICS[name].is_regression
    labels = rng.normal(size=80) if is_regression else rng.integers(0, 2, 80)
    logits = rng.normal(size=(3, 80, 1 if is_regression else 2)).astype(np.float32)
    flops = np.ones((3, 1), dtype=np.int64)
    costs = ExitCosts([1, 2, 3], [7], flops, flops)
    points = operating_points(ExitRecord(logits, labels, np.full(80, 7)), "static", costs, name)
    expected = [result[name] for result in score([name], logits, labels)]
    assert points[name].tolist() == pytest.approx(expected)


def test_the_loss_of_numbers_is_the_mean_squared_error_under_both_names() -> None:
    logits, labels = np.random.default_rng(2).normal(size=(2, 30, 1)), np.zeros(30)
    for result in score(["mean_squared_error"], logits, labels):
        assert result[LOSS] == result["mean_squared_error"]
    assert replayed.find_metric(LOSS, is_regression=True) == "mean_squared_error"
    with pytest.raises(InputError, match=r"not replayed for classification"):
        replayed.find_metric(LOSS, is_regression=False)
    assert less_is_better(LOSS)
    assert not less_is_better("of a third party")
