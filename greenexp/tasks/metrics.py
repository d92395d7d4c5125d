"""Scores of predictions: every metric of `greenexp.records.metrics`. Undefined is None, never 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from scipy import stats
from scipy.special import log_softmax

from greenexp.errors import InputError, UnknownNameError
from greenexp.records.metrics import LOSS, MEANS, METRICS, TOKEN_METRICS, MetricDefinition, metrics_of
from greenexp.replay import correlations
from greenexp.replay.correlations import varies

Array = npt.NDArray[Any]
Classes = npt.NDArray[np.int64]


def score(names: Iterable[str], logits: Array, labels: Array) -> tuple[dict[str, float | None], ...]:
    """`loss` and the metrics `names` of every exit.

    logits: float [exit, example, class], one class for regression; labels: int64 or float32 [example].
    `loss` is the mean cross-entropy in nats (classification) or mean squared error (regression), without loss weights.
    Raises UnknownNameError for an unknown metric, InputError for one of the other kind of task or for wrong shapes.
    """
    if logits.ndim != 3 or logits.shape[1] != len(labels) or len(labels) == 0:
        raise InputError(
            f"logits have shape {logits.shape}: expected [exit, example, class] with {len(labels)} examples"
        )
    is_regression = logits.shape[2] == 1
    chosen = [find_metric(name, is_regression) for name in names]
    results = []
    for values in logits.astype(np.float64):
        predictions = values[:, 0] if is_regression else values.argmax(axis=1)
        loss = mean_squared_error(predictions, labels) if is_regression else _cross_entropy(values, labels)
        results.append({LOSS: loss} | {metric.name: compute(metric.name, predictions, labels) for metric in chosen})
    return tuple(results)


def find_metric(
    name: str, is_regression: bool, num_labels: int | None = None, mode: str | None = None
) -> MetricDefinition:
    """The metric of this name.

    num_labels: classes of the task; mode: the direction in which it is to be optimised; None where nobody asks
    Raises UnknownNameError, or InputError if it is for the other kind of task, or not for its classes, or if `mode`
    would look for the worst value.
    """
    metric = METRICS.get(name)
    if metric is None:
        raise UnknownNameError("metric", name, sorted((*METRICS, *TOKEN_METRICS)))
    if metric.is_regression != is_regression:
        kinds = ("classification", "regression")
        others = [n for n in metrics_of(is_regression) if num_labels is None or METRICS[n].allows(num_labels)]
        raise InputError(
            f"metric '{name}' is for {kinds[metric.is_regression]}, the task is {kinds[is_regression]} "
            f"(allowed: {', '.join(sorted(others))})"
        )
    if num_labels is not None and not metric.allows(num_labels):
        others = [n for n in metrics_of(is_regression) if METRICS[n].allows(num_labels)]
        raise InputError(
            f"metric '{name}' is for at most {metric.most_classes} classes, the task has {num_labels} "
            f"(allowed: {', '.join(sorted(others))})"
        )
    if mode is not None:
        _check_mode(metric, mode)
    return metric


def check_metric_of_sweep(name: str, mode: str, num_labels: int, *, masks: bool) -> None:
    """Raises as `find_metric` where a sweep of a task of `num_labels` cannot be decided by this metric.

    masks: whether the task masks tokens
    """
    if name == LOSS:
        return
    if name not in TOKEN_METRICS:
        find_metric(name, is_regression=num_labels == 1, num_labels=num_labels, mode=mode)
        return
    if not masks:
        raise InputError(f"metric '{name}' is for tasks that mask tokens, such as `corpus`, and this one does not")
    _check_mode(TOKEN_METRICS[name], mode)


def _check_mode(metric: MetricDefinition, mode: str) -> None:
    if mode != metric.mode:
        better = "more" if metric.mode == "max" else "less"
        raise InputError(
            f"metric '{metric.name}' with mode {mode} would look for the worst: {better} is better; write mode: "
            f"{metric.mode}"
        )


def _cross_entropy(logits: Array, labels: Array) -> float | None:
    return _finite(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def accuracy(predictions: Array, labels: Array) -> float | None:
    """Share of examples predicted right."""
    return float(sklearn.metrics.accuracy_score(labels, predictions))


def f1(predictions: Array, labels: Array) -> float | None:
    """F1 of class 1: 2 TP / (2 TP + FP + FN); None if class 1 is neither there nor predicted, or for > 2 classes."""
    if max(int(predictions.max()), int(labels.max())) > 1:
        return None
    return _finite(_mean_f1(predictions, labels, classes=[1]))


def macro_f1(predictions: Array, labels: Array) -> float | None:
    """Unweighted mean of F1 over the classes that occur among labels or predictions."""
    return _finite(_mean_f1(predictions, labels, classes=None))


def _mean_f1(predictions: Array, labels: Array, classes: list[int] | None) -> float:
    """NaN where a class is neither there nor predicted."""
    return float(sklearn.metrics.f1_score(labels, predictions, labels=classes, average="macro", zero_division=math.nan))


def matthews(predictions: Array, labels: Array) -> float | None:
    """Matthews' correlation, multi-class form: the correlation of the one-hot predictions with the one-hot labels.

    R = (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2)(s^2 - sum_k t_k^2)), s examples, c right, p_k predicted and t_k
    true members of class k (Gorodkin 2004, eq. 8). None when predictions or labels are all of one class, where the
    library says 0.
    """
    if (predictions == predictions[0]).all() or (labels == labels[0]).all():
        return None
    return float(sklearn.metrics.matthews_corrcoef(labels, predictions))


def pearson(predictions: Array, labels: Array) -> float | None:
    """Pearson's correlation; None when predictions or labels are constant or not finite."""
    if not varies(predictions) or not varies(labels):
        return None
    return _finite(stats.pearsonr(predictions, labels.astype(np.float64)).statistic)


def spearman(predictions: Array, labels: Array) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None when either side is constant or not finite."""
    if not varies(predictions) or not varies(labels):
        return None
    return pearson(stats.rankdata(predictions), stats.rankdata(labels))


def mean_squared_error(predictions: Array, labels: Array) -> float | None:
    """Mean of (prediction - label)^2; None where it is not finite."""
    return _finite(correlations.mean_squared_error(predictions, labels.astype(np.float64)))


_COMPUTED: Mapping[str, Callable[[Array, Array], float | None]] = {
    "accuracy": accuracy,
    "f1": f1,
    "macro_f1": macro_f1,
    "matthews": matthews,
    "pearson": pearson,
    "spearman": spearman,
    "mean_squared_error": mean_squared_error,
}


def compute(name: str, predictions: Array, labels: Array) -> float | None:
    """The metric `name` of `METRICS`; None where it is not defined.

    predictions, labels: [example], classes (int64) or, for metrics of numbers, values (float).
    """
    if name in MEANS:
        both = [_COMPUTED[part](predictions, labels) for part in MEANS[name]]
        known = [value for value in both if value is not None]
        return sum(known) / len(both) if len(known) == len(both) else None
    return _COMPUTED[name](predictions, labels)
