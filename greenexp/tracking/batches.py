"""The parts of what is sent to MLflow, each within the limits of a call of `log_batch`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from greenexp.tracking.content import MetricPoint

# mlflow/utils/validation.py: log_batch takes 1000 metrics, 100 parameters, 100 tags, together 1000 entities and 1 MB.
MAX_METRICS, MAX_PAIRS = 800, 100
MAX_TEXT = 400_000
"""Characters of JSON for the parameters of a call, and again for its tags: with the metrics below a megabyte."""


def batches(
    points: Iterable[list[MetricPoint]], params: Mapping[str, str], tags: Mapping[str, str]
) -> Iterator[tuple[list[MetricPoint], dict[str, str], dict[str, str]]]:
    """(points, params, tags) of each `log_batch`, within its limits; the last one carries the last tags.

    points: those that belong together in a list; a call writes the metrics of a report whole or not at all
    The tags say what is there, so all metrics go in earlier calls or in the same one, which writes them first.
    """
    metric_parts = list(_together(points))
    param_parts, tag_parts = list(_parts(params)), list(_parts(tags))
    count = max(len(metric_parts), len(param_parts), len(tag_parts))
    for number in range(count):
        late = number - (count - len(tag_parts))
        yield (
            metric_parts[number] if number < len(metric_parts) else [],
            param_parts[number] if number < len(param_parts) else {},
            tag_parts[late] if late >= 0 else {},
        )


def _together(groups: Iterable[list[MetricPoint]]) -> Iterator[list[MetricPoint]]:
    part: list[MetricPoint] = []
    for group in groups:
        if part and len(part) + len(group) > MAX_METRICS:
            yield part
            part = []
        part += group
        while len(part) > MAX_METRICS:  # a single group that no call takes
            yield part[:MAX_METRICS]
            part = part[MAX_METRICS:]
    if part:
        yield part


def _parts(pairs: Mapping[str, str]) -> Iterator[dict[str, str]]:
    part: dict[str, str] = {}
    size = 0
    for name, text in pairs.items():
        length = len(json.dumps([name, text]))
        if part and (len(part) == MAX_PAIRS or size + length > MAX_TEXT):
            yield part
            part, size = {}, 0
        part[name] = text
        size += length
    if part:
        yield part
