"""A metric over resampled examples: the score of every bootstrap sample, from what each example was answered.

A sample of examples is a row of whole weights w_e, how often example e was drawn. With n = sum_e w_e,

    accuracy, loss, mean_squared_error   sum_e w_e v_e / n,  v_e right (0 or 1), -log p, squared error
    f1, macro_f1, matthews               from the weighted counts of right, predicted and true members of each class
    pearson                              from the weighted means of x, y, xx, yy and xy

so a whole matrix of samples is one matrix product. Where a metric is not defined on a sample (F1 without the class, a
correlation without variation) it counts as UNDEFINED, as it does when trials are compared. Spearman's correlation would
need new ranks for every sample, and metrics of others are not known here: neither is resampled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from greenexp.records.answers import ExampleAnswers
from greenexp.records.arrays import Floats
from greenexp.replay.logits import StoredLogits
from greenexp.replay.record import ExitRecord

LOSS = "loss"
UNDEFINED = 0.0
"""As in `training.scoring`, where the trials' scores come from."""
CENTRED = 1e-12
"""Variances below this share of the mean square are rounding: a correlation is not defined there."""


def example_answers(stored: StoredLogits, metric: str) -> ExampleAnswers:
    """The answers of stored logits, with the losses if the metric is `loss`."""
    record, labels = stored.record, np.asarray(stored.labels)
    losses = _losses(record, labels).astype(np.float32) if metric == LOSS else None
    if record.is_regression:
        values = record.logits[:, :, 0].astype(np.float32)
        return ExampleAnswers(values, labels.astype(np.float32), record.numbers, losses)
    kind = np.min_scalar_type(-max(record.logits.shape[2], int(labels.max(initial=0)) + 1))
    return ExampleAnswers(record.predictions().astype(kind), labels.astype(kind), record.numbers, losses)


def _losses(record: ExitRecord, labels: npt.NDArray[Any]) -> Floats:
    """[exit, example]."""
    if record.is_regression:
        errors: Floats = (record.logits[:, :, 0].astype(np.float64) - labels) ** 2
        return errors
    rows = np.arange(len(labels))
    return np.stack([-log_softmax(logits.astype(np.float64), axis=1)[rows, labels] for logits in record.logits])


def can_be_resampled(metric: str, answers: ExampleAnswers) -> bool:
    """Whether `resampled_scores` has this metric for answers of this kind."""
    if metric == LOSS:
        return answers.losses is not None
    return metric in (_OF_NUMBERS if answers.is_regression else _OF_CLASSES)


def resampled_scores(metric: str, answers: ExampleAnswers, weights: npt.NDArray[Any]) -> Floats:
    """The metric of every exit on every sample of examples; see the module.

    Parameters
    ----------
    metric : str, required
        A metric for which `can_be_resampled` holds.
    answers : ExampleAnswers, required
        Answers of E exits on n examples.
    weights : 2D array of numbers, required
        [samples, n], how often each example is in each sample.

    Returns
    -------
    2D array of floats
        [samples, E], in the metric's unit.

    """
    weights = np.asarray(weights, dtype=np.float64)
    if metric == LOSS and answers.losses is not None:
        return _means(answers.losses.T, weights)
    compute = (_OF_NUMBERS if answers.is_regression else _OF_CLASSES)[metric]
    values = compute(answers, weights)
    return np.where(np.isfinite(values), values, UNDEFINED)


def _means(values: npt.ArrayLike, weights: Floats) -> Floats:
    """[samples, columns]: weighted means of the columns of `values` [n, columns]."""
    means: Floats = weights @ np.asarray(values, dtype=np.float64) / weights.sum(axis=1, keepdims=True)
    return means


def _accuracy(answers: ExampleAnswers, weights: Floats) -> Floats:
    return _means((answers.answers == answers.labels).T, weights)


def _counts(answers: ExampleAnswers, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Right and predicted [samples, exit, class], and true [samples, 1, class]: weighted counts of members."""
    classes = np.unique(np.concatenate((answers.labels, answers.answers.ravel())))
    true = answers.labels[:, None] == classes
    said = answers.answers[:, :, None] == classes
    exits, examples = answers.answers.shape
    columns = [np.moveaxis(part, 1, 0).reshape(examples, -1) for part in (said & true, said)]
    right, predicted = (
        (weights @ part.astype(np.float64)).reshape(len(weights), exits, len(classes)) for part in columns
    )
    return right, predicted, (weights @ true.astype(np.float64))[:, None, :]


def _class_f1(right: Floats, predicted: Floats, true: Floats) -> Floats:
    """2 h / (p + t) of each class; NaN where it is 0 / 0."""
    members = predicted + true
    each: Floats = np.divide(2 * right, members, out=np.full_like(right, np.nan), where=members > 0)
    return each


def _f1(answers: ExampleAnswers, weights: Floats) -> Floats:
    classes = np.unique(np.concatenate((answers.labels, answers.answers.ravel())))
    if (classes > 1).any() or 1 not in classes:
        return np.full((len(weights), len(answers.exits)), np.nan)
    place = int(np.flatnonzero(classes == 1)[0])
    positive: Floats = _class_f1(*_counts(answers, weights))[:, :, place]
    return positive


def _macro_f1(answers: ExampleAnswers, weights: Floats) -> Floats:
    each = _class_f1(*_counts(answers, weights))
    occurs = ~np.isnan(each)
    mean: Floats = np.where(occurs, each, 0.0).sum(axis=2) / occurs.sum(axis=2)
    return mean


def _matthews(answers: ExampleAnswers, weights: Floats) -> Floats:
    right, predicted, true = _counts(answers, weights)
    size = weights.sum(axis=1)[:, None]
    spread = (size**2 - (predicted**2).sum(axis=2)) * (size**2 - (true**2).sum(axis=2))
    above = right.sum(axis=2) * size - (predicted * true).sum(axis=2)
    values: Floats = np.divide(above, np.sqrt(np.maximum(spread, 0)), out=np.full_like(above, np.nan), where=spread > 0)
    return values


def _pearson(answers: ExampleAnswers, weights: Floats) -> Floats:
    x, y = answers.answers.astype(np.float64), answers.labels.astype(np.float64)
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean()  # centred, so that squares lose no digits
    of_x, of_y = _means(x.T, weights), _means(y[:, None], weights)
    squares_x, squares_y = _means((x**2).T, weights), _means(y[:, None] ** 2, weights)
    spread = (squares_x - of_x**2) * (squares_y - of_y**2)
    above = _means((x * y).T, weights) - of_x * of_y
    defined = spread > CENTRED * squares_x * squares_y
    values = np.divide(above, np.sqrt(np.maximum(spread, 0)), out=np.full_like(above, np.nan), where=defined)
    clipped: Floats = np.clip(values, -1, 1)
    return clipped


def _mean_squared_error(answers: ExampleAnswers, weights: Floats) -> Floats:
    errors = (answers.answers.astype(np.float64) - answers.labels) ** 2
    return _means(errors.T, weights)


def _accuracy_and_f1(answers: ExampleAnswers, weights: Floats) -> Floats:
    return (_accuracy(answers, weights) + _f1(answers, weights)) / 2


_OF_CLASSES: Mapping[str, Callable[[ExampleAnswers, Floats], Floats]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "accuracy_and_f1": _accuracy_and_f1,
    "macro_f1": _macro_f1,
    "matthews": _matthews,
}
_OF_NUMBERS: Mapping[str, Callable[[ExampleAnswers, Floats], Floats]] = {
    "pearson": _pearson,
    "mean_squared_error": _mean_squared_error,
}
