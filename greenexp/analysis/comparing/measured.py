"""Whether scores of several sources measure the same thing, so that they can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from greenexp.analysis.sweeps.metric import metric_of
from greenexp.records.scores import Measured
from greenexp.records.tables import SweepTables

FIELDS = {"task": "the task", "data": "the data", "metric": "the metric", "exit": "the exit that scores are of"}
_LETTERS = 12
"""Of a fingerprint."""


def measured_by(tables: SweepTables, source: str = "") -> Measured:
    """What the scores of a sweep measure; the data are those of its last session that recorded them."""
    metric = metric_of(tables)
    data: Mapping[str, Mapping[str, str]] = {}
    for session in tables.history.sessions:
        data = session.get("data") or data
    prints = sorted({str(facts["fingerprint"]) for facts in data.values()})
    return Measured(source, tables.spec.task.name, "+".join(prints), metric.name, metric.exit)


def what_differs(measured: Sequence[Measured]) -> str:
    """Why scores cannot be compared: a sentence with what differs and of which sources, or ""."""
    parts = []
    for field, words in FIELDS.items():
        values = {one.source: getattr(one, field) for one in measured if getattr(one, field)}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{_shown(value)} in {source}" for source, value in values.items())
            parts.append(f"{words} ({listed})")
    return f"the sources do not measure the same thing; they differ in {' and in '.join(parts)}" if parts else ""


def what_is_unknown(measured: Sequence[Measured]) -> str:
    """That it is not known whether scores measure the same, where one source says it and another does not; or ""."""
    unknown: dict[str, list[str]] = {}
    for field, words in FIELDS.items():
        silent = [one.source for one in measured if not getattr(one, field)]
        if 0 < len(silent) < len(measured):
            unknown.setdefault(", ".join(silent), []).append(words)
    parts = [f"{sources} does not record {', '.join(words)}" for sources, words in unknown.items()]
    return f"it is not known whether the sources measure the same thing: {'; '.join(parts)}" if parts else ""


def _shown(value: str) -> str:
    """The beginning of a fingerprint; other values whole."""
    return f"{value[:_LETTERS]}..." if len(value) > 2 * _LETTERS else value
