"""Scores of one metric are compared with scores of the same metric, and with no others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from greenexp.errors import InputError
from greenexp.records.scored_lines import ScoredLine


class InOneMetric(NamedTuple):
    """Lines and their baseline by one metric. metric: "" if no line says what it is scored by; notes: sentences."""

    lines: tuple[ScoredLine, ...]
    baseline: ScoredLine
    metric: str
    notes: tuple[str, ...]


def in_one_metric(lines: Sequence[ScoredLine], baseline: ScoredLine) -> InOneMetric:
    """The lines and the baseline by the first metric, of those that they are scored by, that is on record for all.

    A line whose metric is not known is taken to be of that metric, and a note says so. Raises InputError with each
    line's metric where there is no such metric.
    """
    each = [*lines, baseline]
    metrics = list(dict.fromkeys(line.metric for line in each if line.metric))
    if not metrics:
        return InOneMetric(tuple(lines), baseline, "", ())
    metric = next((name for name in metrics if all(_has(line, name) for line in each)), None)
    if metric is None:
        told = "; ".join(f"{line.name} by {', '.join([line.metric, *line.others])}" for line in each if line.metric)
        raise InputError(
            f"scores of different metrics do not compare: {told}. There is no metric that all of them have: score a "
            f"sweep anew by the other metric (metric: {{name: ...}}), or name a baseline of the same one"
        )
    notes = [f"scores are compared by {metric}"]
    for line in each:
        if not line.metric:
            notes.append(f"the metric of {line.name} is not on record, and taken to be {metric}")
        elif line.metric != metric:
            notes.append(f"{line.name} is scored by {line.metric}, and read here by {metric}, which is on record, too")
    *read, against = (_by(line, metric) for line in each)
    return InOneMetric(tuple(read), against, metric, tuple(notes))


def _has(line: ScoredLine, metric: str) -> bool:
    return line.metric in {"", metric} or metric in line.others


def _by(line: ScoredLine, metric: str) -> ScoredLine:
    if line.metric in {"", metric}:
        return line
    return dataclasses.replace(line, metric=metric, seeds=line.others[metric], others={line.metric: line.seeds})
