"""The description of a sweep's run, which MLflow shows first: the result, what it cost, and what to do next. Pure.

It says only what the journal says, so that bringing MLflow level again changes nothing; while a driver is at work it
has no numbers, which would be written anew with each report.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from greenexp.journal.state import SweepState, TrialState
from greenexp.records.addresses import without_password
from greenexp.records.axes import AXES
from greenexp.records.tables import SUMMED_COSTS
from greenexp.tracking import names
from greenexp.tracking.texts import shortened, value_text
from greenexp.tracking.tracked_sweep import TrackedSweep
from greenexp.units import format_quantity

OWN_DATABASE = "sqlite:///mlflow.db"
_STATES = {
    "finished": "All its trials have ended.", "limit": "It ended at the limit of its budget.",
    "interrupted": "It was interrupted; `greenexp run` with the same folder goes on with it.",
    "planned": "It has not begun.", "running": "It is running.",
}  # fmt: skip
_WORDS = {"stopped": "stopped early"}


def description(tracked: TrackedSweep, status: str, price: Mapping[str, float]) -> str:
    """Markdown. status: of the sweep; price: what it cost, in base units."""
    state = tracked.state
    parts = [f"{_STATES.get(status, status)} A greenexp sweep of `{state.spec.task.name}`."]
    if status not in {"planned", "running"}:
        parts = [_result(state), parts[0], _table(state, price)]
    address = without_password(str((state.header["spec"].get("tracking") or {}).get("uri") or OWN_DATABASE))
    beside = ", in the sweep's folder" if address == OWN_DATABASE else ""
    files = f"report: the artifact `{names.REPORT_FILE}` of this run; resolved sweep file: `{names.SWEEP_FILE}`"
    parts += [
        f"{files[0].upper()}{files[1:]}.",
        f"Look on{beside}:\n\n```\ngreenexp dashboard {address}\n```",
        "Do it again, with the same seeds:\n\n```\ngreenexp run sweep.yaml --out again\n```",
    ]
    first = state.sessions[0].data if state.sessions else {}
    if versions := first.get("versions"):
        machine = f" on {first['machine']['cpu']}" if "cpu" in first.get("machine", {}) else ""
        parts.append(f"It ran with {', '.join(f'{name} {version}' for name, version in versions.items())}{machine}.")
    return shortened("\n\n".join(parts), names.MAX_TAG)


def is_own(tags: Mapping[str, str]) -> bool:
    """Whether the description that a run has is the one that greenexp wrote last, or it has none."""
    return names.NOTE not in tags or mark_of(tags[names.NOTE]) == tags.get(names.DESCRIBED)


def mark_of(note: str) -> str:
    """What tells a description of greenexp's from one that the user wrote."""
    return hashlib.sha256(note.encode()).hexdigest()[:16]


def _result(state: SweepState) -> str:
    chosen = state.chosen
    metric = state.spec.metric.name
    scores = _numbers(trial.score for trial in chosen)
    if not scores:
        return "**No configuration has been chosen yet**: the seeds of none have ended."
    settings = " ".join(f"{path}={_setting(value)}" for path, value in chosen[0].spec.searched.items())
    told = (
        f"**dev {metric} {_mean(scores)}** with `{chosen[0].spec.configuration}`{f' ({settings})' if settings else ''}"
    )
    test = _numbers(_score_on_test(trial) for trial in chosen)
    return f"{told}, test {metric} {_mean(test)}." if test else f"{told}; not evaluated on test."


def _setting(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else value_text(value, 60)


def _score_on_test(trial: TrialState) -> float | None:
    return trial.held_out[0][1].score if trial.held_out else None


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(scores: Sequence[float]) -> str:
    mean = f"{statistics.fmean(scores):.4g}"
    return (
        mean if len(scores) == 1 else f"{mean} ± {statistics.stdev(scores):.2g} (mean and SD of {len(scores)} trials)"
    )


def _table(state: SweepState, price: Mapping[str, float]) -> str:
    counts = Counter(trial.status for trial in state.trials.values())
    told = ", ".join(f"{number} {_WORDS.get(status, status)}" for status, number in sorted(counts.items()))
    rows: list[tuple[str, Any]] = [("Trials", f"{len(state.trials)}: {told}")]
    rows += [(title, format_quantity(price[name], unit)) for name, title, unit in _priced() if name in price]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(["| What the search cost | |", "|---|---|", *lines])


def _priced() -> Iterable[tuple[str, str, str]]:
    yield "examples_seen", "Training examples seen", ""
    for axis in (axis for axis in AXES.values() if axis.name in SUMMED_COSTS):
        yield axis.name, axis.sum_title, axis.unit
