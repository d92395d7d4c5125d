"""From dev logits to what an epoch reports: scores per exit, and the one number a sweep optimises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from greenexp.errors import DivergedError, InputError
from greenexp.records.metrics import LOSS, TOKEN_METRICS
from greenexp.records.sections import Metric
from greenexp.tasks.metrics import check_metric_of_sweep, score
from greenexp.training.evaluation import TokenScore

UNDEFINED = 0.0
"""What an undefined metric counts as when trials are compared. Only F1 and correlations can be undefined, where nothing
but one class or one value was predicted, and for them 0 is the value of knowing nothing. The report keeps None."""

ExitMetrics = Mapping[str, float | None]


def check_metric(metric: Metric, exits: Sequence[int], num_labels: int, *, masks: bool = False) -> None:
    """Raise InputError if the sweep's metric does not fit such a task, or names an exit that is not in `exits`.

    It does not fit if it is of another kind of task, for fewer classes, or to be optimised the wrong way round.
    masks: whether the task masks tokens
    """
    check_metric_of_sweep(metric.name, metric.mode, num_labels, masks=masks)
    metric.check_exits(exits)


def exit_metrics(
    logits: npt.NDArray[np.float32],
    labels: npt.NDArray[Any],
    task_metrics: Sequence[str],
    metric: Metric,
    step: int,
    tokens: Sequence[TokenScore] | None = None,
) -> tuple[dict[str, float | None], ...]:
    """`loss`, the task's metrics and the sweep's for each exit of `logits` [exit, example, class].

    tokens: per exit, how it predicted masked tokens: then there are the metrics of these as well
    Raises DivergedError with the optimiser step when a loss is not finite, InputError where the metric is of masked
    tokens and the exits predict none.
    """
    if metric.name in TOKEN_METRICS and tokens is None:
        raise InputError(f"metric '{metric.name}': the exits predict no masked tokens; `elasticbert_pretraining`'s do")
    names = dict.fromkeys((*task_metrics, metric.name))
    names = {name: None for name in names if name != LOSS and name not in TOKEN_METRICS}
    results = score(names, logits, labels)
    for number, result in enumerate(results):
        loss = result[LOSS]
        if loss is not None and tokens is not None:
            own = tokens[number]
            result |= {"mlm_accuracy": own.accuracy, "mlm_loss": own.loss, "pretraining_loss": own.loss + loss}
        if loss is None or not all(math.isfinite(value) for value in result.values() if value is not None):
            raise DivergedError("the dev loss", float("nan"), step)
    return results


def selected_score(exits: Sequence[int], metrics: Sequence[ExitMetrics], metric: Metric) -> tuple[float, str | None]:
    """The sweep's number: the metric at `metric.exit`, and a remark if it had to be taken as `UNDEFINED` somewhere.

    `mean` and `best` go over `exits`, `last` is the last of them, a number is that exit.
    Raises InputError where there is no such exit: a compression may leave fewer of them after one epoch than another.
    """
    values = [result[metric.name] for result in metrics]
    undefined = [str(number) for number, value in zip(exits, values, strict=True) if value is None]
    remark = f"{metric.name} is undefined at exit {', '.join(undefined)}: taken as {UNDEFINED:g}" if undefined else None
    numbers = [UNDEFINED if value is None else value for value in values]
    match metric.exit:
        case "mean":
            return float(np.mean(numbers)), remark
        case "best":
            return (max if metric.mode == "max" else min)(numbers), remark
        case "last":
            return numbers[-1], remark
        case number:
            metric.check_exits(exits)
            return numbers[list(exits).index(number)], remark


def is_better(value: float, best: float | None, metric: Metric) -> bool:
    """Whether `value` beats the best so far (None: there is none yet); a tie does not."""
    if best is None:
        return True
    return value > best if metric.mode == "max" else value < best
