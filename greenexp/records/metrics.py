"""Every metric a task may name: what it is called, what it is, and which way is better. Computed elsewhere.

`greenexp.tasks.metrics` computes them for the answers of one exit; `greenexp.replay.scores` for every operating point
at once, from counts that change from point to point. To add a metric: a row here, and a function in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOSS = "loss"
"""Besides: the mean cross-entropy in nats of any number of classes; for regression the same as `mean_squared_error`."""


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """One metric.

    about: what it is; is_regression: of numbers, not of classes; mode: `max` if more is better, `min` if less is
    best: the value of a perfect answer; most_classes: it is not defined for tasks with more (None: for any number)
    """

    name: str
    about: str
    is_regression: bool = False
    mode: str = "max"
    best: float = 1.0
    most_classes: int | None = None

    def allows(self, num_labels: int) -> bool:
        """Whether it is defined for this number of classes."""
        return self.most_classes is None or num_labels <= self.most_classes


METRICS: Mapping[str, MetricDefinition] = {
    metric.name: metric
    for metric in (
        MetricDefinition("accuracy", "share of examples predicted right"),
        MetricDefinition("f1", "F1 of class 1, of two classes: 2 TP / (2 TP + FP + FN)", most_classes=2),
        MetricDefinition("accuracy_and_f1", "mean of accuracy and f1, as ELUE scores MRPC", most_classes=2),
        MetricDefinition("macro_f1", "unweighted mean of F1 over the classes among labels or predictions"),
        MetricDefinition("matthews", "Matthews' correlation, multi-class form (Gorodkin 2004, eq. 8)"),
        MetricDefinition("pearson", "Pearson's correlation", is_regression=True),
        MetricDefinition("spearman", "Spearman's rank correlation, ties at their mean rank", is_regression=True),
        MetricDefinition(
            "pearson_and_spearman", "mean of pearson and spearman, as ELUE scores STS-B", is_regression=True
        ),
        MetricDefinition(
            "mean_squared_error", "mean of (prediction - label)^2", is_regression=True, mode="min", best=0.0
        ),
    )
}
"""By name; the first of classes and the first of numbers are what is taken where none is named."""
MEANS: Mapping[str, tuple[str, str]] = {
    "accuracy_and_f1": ("accuracy", "f1"),
    "pearson_and_spearman": ("pearson", "spearman"),
}
"""Metric -> the two whose mean it is; not defined where one of them is not."""


TOKEN_METRICS: Mapping[str, MetricDefinition] = {
    metric.name: metric
    for metric in (
        MetricDefinition("mlm_accuracy", "share of masked tokens predicted right"),
        MetricDefinition("mlm_loss", "mean cross-entropy over masked tokens, in nats", mode="min", best=0.0),
        MetricDefinition("pretraining_loss", "mlm_loss + loss, the latter of sentence order", mode="min", best=0.0),
    )
}
"""Of exits that predict masked tokens, on a task that masks some; computed where the tokens' logits are."""


def metrics_of(is_regression: bool) -> list[str]:
    """The names of the metrics of numbers, or of classes."""
    return [metric.name for metric in METRICS.values() if metric.is_regression == is_regression]


def less_is_better(name: str) -> bool:
    """Whether a smaller value is better; a metric that is not known is taken to be better when greater."""
    every = {**METRICS, **TOKEN_METRICS}
    return name == LOSS or (name in every and every[name].mode == "min")
