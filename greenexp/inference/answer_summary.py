"""What a number of answers come to: classes, layers, and where labels are known the accuracy beside its baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from greenexp.inference.answers import Answer

LEAST_ANSWERS = 10
"""Fewer answers of one class are no reason for a warning: two frequent classes give 10 in a row once in 512 times."""
Label: TypeAlias = "str | int"
"""A class by its name or its number."""


@dataclass(frozen=True, slots=True)
class LabelledAccuracy:
    """The accuracy over the examples whose labels are known, and the two baselines.

    examples: their number; accuracy: of the answers; last_exit_accuracy: if all had left at the last trained exit
    majority_class, majority_share: the most frequent label and its share, the accuracy of answering it always
    """

    examples: int
    accuracy: float
    last_exit_accuracy: float
    majority_class: str
    majority_share: float


@dataclass(frozen=True, slots=True)
class AnswerSummary:
    """What a number of answers come to.

    answers, errors: numbers of examples that were answered, and that could not be
    layers: of the whole encoder; mean_layers: used per answer, None without answers
    classes: class -> number of answers, empty for regression; labelled: None where no label is known
    """

    answers: int
    errors: int
    layers: int
    mean_layers: float | None
    classes: Mapping[str, int] = field(default_factory=dict)
    labelled: LabelledAccuracy | None = None

    @property
    def speed_up(self) -> float | None:
        """Layers of the encoder / mean layers used; None without answers."""
        return None if self.mean_layers is None else self.layers / self.mean_layers

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence if all answers are of one class."""
        if len(self.classes) != 1 or self.answers < LEAST_ANSWERS:
            return ()
        (only,) = self.classes
        return (f"all {self.answers:,} answers are of one class, '{only}': a model that has learnt nothing answers so",)


class AnswerTally:
    """Counts answers as they come. layers: of the whole encoder."""

    def __init__(self, layers: int) -> None:
        self.lines = self.errors = 0
        self._layers, self._layers_run = layers, 0
        self._classes: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._right = self._last_exit_right = 0

    def answer(self, answer: Answer) -> None:
        """One example more."""
        self.lines += 1
        self._layers_run += answer.layer
        if isinstance(answer.prediction, int):
            self._classes[class_name(answer)] += 1

    def error(self) -> None:
        """One example more, which could not be answered."""
        self.lines += 1
        self.errors += 1

    def label(self, label: Label, answer: Answer, last_exit: Answer) -> None:
        """The label of an example, its answer, and that of the last trained exit."""
        self._right += is_right(answer, label)
        self._last_exit_right += is_right(last_exit, label)
        self._labels[str(label)] += 1

    def summary(self) -> AnswerSummary:
        """What it has come to so far."""
        answers = self.lines - self.errors
        return AnswerSummary(
            answers=answers,
            errors=self.errors,
            layers=self._layers,
            mean_layers=self._layers_run / answers if answers else None,
            classes=dict(sorted(self._classes.items())),
            labelled=self._scores() if self._labels else None,
        )

    def _scores(self) -> LabelledAccuracy:
        examples = self._labels.total()
        ((majority, count),) = self._labels.most_common(1)
        return LabelledAccuracy(
            examples=examples,
            accuracy=self._right / examples,
            last_exit_accuracy=self._last_exit_right / examples,
            majority_class=majority,
            majority_share=count / examples,
        )


def class_name(answer: Answer) -> str:
    """The class by its name, or its number where names are not known."""
    return str(answer.prediction) if answer.label is None else answer.label


def is_right(answer: Answer, label: Label) -> bool:
    """Whether the answer is this class, given by name or by number."""
    if isinstance(label, str) and answer.label is not None:
        return answer.label == label
    return str(answer.prediction) == str(label)
