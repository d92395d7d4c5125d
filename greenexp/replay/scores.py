"""What the examples' answers are worth at every operating point, from counts that each event changes.

An event moves one example from one exit to another, hence from one answer to another. Where the two differ, it changes
integer counts: p_k answers of class k, h_k of them right. All metrics of classes follow from these and the labels'
counts t_k, exactly, at every point. Metrics of numbers do not, and are computed afresh on a grid of points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from greenexp.errors import InputError, did_you_mean
from greenexp.records.arrays import Floats
from greenexp.records.metrics import LOSS, MEANS, metrics_of
from greenexp.replay import correlations
from greenexp.replay.family import Staircase
from greenexp.replay.record import Ints
from greenexp.replay.steps import events_so_far, running


class ClassCounts(NamedTuple):
    """Of one class k: predicted p_k and right h_k, int64 [point], and true t_k."""

    number: int
    predicted: Ints
    right: Ints
    true: int


@dataclass(frozen=True, eq=False)
class Answers:
    """What the examples answer at the first point, and every change of an answer.

    first, labels: [example]; before, after, truth: [change], answers and label of the example that changes
    so_far: int64 [point], how many changes there were
    """

    first: Ints
    labels: Ints
    before: Ints
    after: Ints
    truth: Ints
    so_far: Ints

    @classmethod
    def of(cls, steps: Staircase, answers: Ints, labels: Ints) -> Answers:
        """answers: [exit, example], what each example answers at each exit; labels: [example]."""
        before, after = answers[steps.before, steps.example], answers[steps.after, steps.example]
        changes = np.flatnonzero(before != after)
        return cls(
            first=answers[steps.start, np.arange(len(labels))],
            labels=labels,
            before=before[changes],
            after=after[changes],
            truth=labels[steps.example[changes]],
            so_far=events_so_far(steps.point[changes], len(steps.thresholds)),
        )

    def right(self) -> Ints:
        """How many answer right, int64 [point]."""
        gained = (self.after == self.truth).astype(np.int64) - (self.before == self.truth)
        return self._at_points(int((self.first == self.labels).sum()), gained)

    def classes(self) -> Iterator[ClassCounts]:
        """The counts of each class that occurs, one after the other: memory does not grow with their number."""
        for number in np.unique(np.concatenate((self.labels, self.first, self.after))):
            truly, now = self.labels == number, self.first == number
            moved = (self.after == number).astype(np.int64) - (self.before == number)
            yield ClassCounts(
                int(number),
                predicted=self._at_points(int(now.sum()), moved),
                right=self._at_points(int((now & truly).sum()), moved * (self.truth == number)),
                true=int(truly.sum()),
            )

    def _at_points(self, first: int, change: Ints) -> Ints:
        return running(first, change, self.so_far)


def _accuracy(answers: Answers) -> Floats:
    return answers.right() / len(answers.labels)


def _f1(answers: Answers) -> Floats:
    """2 h_1 / (p_1 + t_1); NaN where it is 0 / 0 or a third class occurs."""
    found = np.full(len(answers.so_far), np.nan)
    others = np.zeros(len(found), dtype=np.bool_)
    for counts in answers.classes():
        if counts.number == 1:
            found = _f1_of(counts)
        elif counts.number != 0:
            others |= (counts.predicted + counts.true) > 0
    found[others] = np.nan
    return found


def _macro_f1(answers: Answers) -> Floats:
    """The mean of F1 over the classes that occur among labels or answers."""
    total, classes = np.zeros(len(answers.so_far)), np.zeros(len(answers.so_far))
    for counts in answers.classes():
        value = _f1_of(counts)
        occurs = ~np.isnan(value)
        total[occurs] += value[occurs]
        classes += occurs
    return total / classes


def _f1_of(counts: ClassCounts) -> Floats:
    members = (counts.predicted + counts.true).astype(np.float64)
    members[members == 0] = np.nan
    return 2 * counts.right / members


def _matthews(answers: Answers) -> Floats:
    """R = (c s - sum p_k t_k) / sqrt((s^2 - sum p_k^2)(s^2 - sum t_k^2)), c right of s (Gorodkin 2004, eq. 8).

    NaN where answers or labels are all of one class.
    """
    size = len(answers.labels)
    answered, true, both = np.zeros((3, len(answers.so_far)), dtype=np.int64)
    for counts in answers.classes():
        answered += counts.predicted**2
        true += counts.true**2
        both += counts.predicted * counts.true
    spread = (size**2 - answered).astype(np.float64) * (size**2 - true)
    spread[spread <= 0] = np.nan
    return (answers.right() * size - both) / np.sqrt(spread)


_OF_CLASSES: Mapping[str, Callable[[Answers], Floats]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "macro_f1": _macro_f1,
    "matthews": _matthews,
}
_OF_NUMBERS: Mapping[str, Callable[[Floats, Floats], float]] = {
    "pearson": correlations.pearson,
    "spearman": correlations.spearman,
    "mean_squared_error": correlations.mean_squared_error,
}


def find_metric(metric: str | None, is_regression: bool) -> str:
    """The metric's name; None: `accuracy`, or `pearson` for regression; `loss` of regression: its other name.

    InputError for one that is not replayed: the loss of classes, which depends on more than the answers, and metrics of
    the other kind.
    """
    known = metrics_of(is_regression)
    if metric is None:
        return known[0]
    if metric == LOSS and is_regression:
        return "mean_squared_error"
    if metric not in known:
        kind = "regression" if is_regression else "classification"
        near = did_you_mean(metric, known)
        raise InputError(f"metric '{metric}' is not replayed for {kind}{near}; allowed: {', '.join(known)}")
    return metric


def scores(metric: str, steps: Staircase, answers: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Floats:
    """`metric` at each point, float64 [point]; NaN where it is not defined.

    answers: [exit, example], classes (int64) or values (float64); labels: [example]; metric: as `find_metric` gives it
    """
    if metric in MEANS:
        first, second = (scores(part, steps, answers, labels) for part in MEANS[metric])
        return (first + second) / 2
    if metric in _OF_CLASSES:
        return _OF_CLASSES[metric](Answers.of(steps, answers, labels))
    compute, truth = _OF_NUMBERS[metric], labels.astype(np.float64)
    places, everybody = steps.start.copy(), np.arange(len(labels))
    found, done = np.empty(len(steps.thresholds)), 0
    for point, so_far in enumerate(events_so_far(steps.point, len(found))):
        new = slice(done, so_far)
        np.add.at(places, steps.example[new], steps.after[new] - steps.before[new])
        found[point], done = compute(answers[places, everybody], truth), so_far
    return found
