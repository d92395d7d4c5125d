"""A trial's records from its metrics and tags in MLflow: the inverse of `content`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from greenexp.errors import TrackingError
from greenexp.records.epoch import Costs, EpochRecord, ExitScore
from greenexp.records.progress import Epochs
from greenexp.records.tables import COSTS, EpochFacts
from greenexp.tracking import names
from greenexp.tracking.texts import from_parts

Series = Mapping[str, Mapping[int, float]]
"""Metric -> step -> value."""


def metric_names(tags: Mapping[str, str], present: Mapping[str, Any]) -> frozenset[str]:
    """The metrics in MLflow that records are made of: totals and rungs are derived, the attempt is in a tag."""
    exits = from_parts(names.EXITS, tags, {"layers": {}, "metrics": []})
    plain = {names.TIME, *names.RECORD_METRICS.values(), *COSTS}
    for number in map(int, exits["layers"]):
        plain.add(names.exit_metric(number, names.INFERENCE_FLOPS))
        plain |= {names.dev_metric(number, name) for name in exits["metrics"]}
    plain |= {names.PART + name for name in plain}
    prefixes = {"", *(names.series(report["attempt"], True) for report in from_parts(names.REPORTS, tags, []))}
    return frozenset(prefix + name for prefix in prefixes for name in plain if prefix + name in present)


def records_of(trial: str, tags: Mapping[str, str], series: Series) -> Iterator[EpochFacts]:
    """The trial's reports in the order they were made. TrackingError if one is there in part only."""
    exits = from_parts(names.EXITS, tags, {"layers": {}, "metrics": []})
    reported: set[Epochs] = set()
    reasons: Mapping[str, str] = {}
    circumstances: Mapping[str, str] = {}
    for report in from_parts(names.REPORTS, tags, []):
        attempt, epoch = report["attempt"], report["epoch"]
        step = report.get("step", epoch)
        prefix = names.series(attempt, epoch in reported)
        reported.add(epoch)
        reasons = report.get("not_measured", reasons)
        circumstances = report.get("computed_with", circumstances)
        values = {
            name.removeprefix(prefix): points[step]
            for name, points in series.items()
            if name.startswith(prefix) and step in points
        }
        if report.get("dev_examples") is not None:
            values = {name.removeprefix(names.PART): value for name, value in values.items()}
        try:
            record = _record(epoch, values, exits)
            time_s = values[names.TIME]
        except KeyError as error:
            raise TrackingError(f"MLflow lacks the metric {error} of trial {trial} at epoch {epoch}") from None
        extra = {
            "not_measured": reasons,
            "computed_with": circumstances,
            "dev_logits": report.get("dev_logits"),
            "last": report.get("last", False),
            "dev_examples": report.get("dev_examples"),
            "encoder_layers": exits.get("encoder_layers"),
            "parameters": exits.get("parameters"),
        }
        yield EpochFacts(trial, attempt, time_s, EpochRecord(**record, **extra))


def _record(epoch: Epochs, values: Mapping[str, float], exits: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"epoch": epoch}
    for field, metric in names.RECORD_METRICS.items():
        fields[field] = int(values[metric]) if field in names.WHOLE_NUMBERS else values[metric]
    scores = []
    for number, layer in sorted((int(number), layer) for number, layer in exits["layers"].items()):
        flops = values.get(names.exit_metric(number, names.INFERENCE_FLOPS))
        if flops is not None:  # else this exit was not trained at this epoch
            metrics = {name: values.get(names.dev_metric(number, name)) for name in exits["metrics"]}
            scores.append(ExitScore(number, layer, metrics, flops))
    costs = Costs(values["wall_s"], *(values.get(cost) for cost in COSTS if cost != "wall_s"))
    return {**fields, "exits": tuple(scores), "costs": costs}
