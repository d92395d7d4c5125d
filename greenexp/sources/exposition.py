"""What sweeps count, in the text that Prometheus reads: one function over their status, live or from their folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from greenexp.records.axes import AXES, BudgetAxis
from greenexp.records.decision import Action
from greenexp.records.exposition_text import head, sample
from greenexp.records.tables import STATUSES
from greenexp.sources.status import SweepStatus

WAITING = ("planned", "paused", "interrupted")
"""States of trials that a worker will take up, unless the scheduler or a limit says otherwise."""
STAGES = ("not begun", "planned", "running or killed", "interrupted", "limit", "finished")
_UNITS = {"s": "seconds", "J": "joules", "g": "grams", "FLOP": "flops"}
_SUFFIXES = ("_s", "_j", "_g", "_flops")

Samples = Iterator[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True)
class ExportedMetric:
    """One metric: its name without `greenexp_`, its kind, its line of help, and its values of a sweep, by labels."""

    name: str
    kind: str
    explained: str
    samples: Callable[[SweepStatus], Samples]


def exposition(statuses: Iterable[SweepStatus]) -> str:
    """The metrics of sweeps, each labelled with the sweep's name and folder; what was not measured is absent.

    Of two statuses of one name and folder the last counts: a sample may stand there once.
    """
    sweeps = {(status.name or Path(status.folder).name, status.folder): status for status in statuses}
    lines: list[str] = []
    for metric in METRICS:
        name = f"greenexp_{metric.name}"
        found = [
            sample(name, {"sweep": sweep, "folder": folder, **labels}, value)
            for (sweep, folder), status in sweeps.items()
            for labels, value in metric.samples(status)
        ]
        lines += [*head(name, metric.kind, metric.explained), *found] if found else []
    return "".join(f"{line}\n" for line in lines)


def axis_metric(axis: BudgetAxis) -> str:
    """The axis as metrics name it, its unit last: `wall_seconds` of `wall_s`, `train_flops`, `epochs`."""
    unit = _UNITS.get(axis.unit)
    if unit is None:
        return axis.name
    stem = next((axis.name.removesuffix(end) for end in _SUFFIXES if axis.name.endswith(end)), axis.name)
    return f"{stem}_{unit}"


def _one(value: Callable[[SweepStatus], float | None]) -> Callable[[SweepStatus], Samples]:
    """A metric of the whole sweep, absent where its value is None."""

    def samples(status: SweepStatus) -> Samples:
        found = value(status)
        if found is not None:
            yield {}, found

    return samples


def _by(
    label: str, values: Callable[[SweepStatus], Mapping[str, float | None]], all_of: Iterable[str] = ()
) -> Callable[[SweepStatus], Samples]:
    """A metric with one further label; all_of: the values of it that are counted as 0 where nothing is there."""
    zeros = dict.fromkeys(all_of, 0.0)

    def samples(status: SweepStatus) -> Samples:
        for name, value in {**zeros, **values(status)}.items():
            if value is not None:
                yield {label: name}, value

    return samples


def _stages(status: SweepStatus) -> Samples:
    now = status.state.partition(":")[0]
    for stage in dict.fromkeys((*STAGES, now)):
        yield {"state": stage}, float(stage == now)


def _score(status: SweepStatus) -> float | None:
    return None if status.best is None else status.best.score


def _best(status: SweepStatus) -> Samples:
    if status.best is not None:
        yield {"trial": status.best.trial}, 1.0


def _shares(values: Callable[[SweepStatus], Mapping[str, float | None]]) -> Callable[[SweepStatus], Samples]:
    """Parts of the limit of each axis that has one."""

    def samples(status: SweepStatus) -> Samples:
        for axis, limit in status.limits.items():
            value = values(status).get(axis)
            if limit and value is not None:
                yield {"axis": axis}, value / limit

    return samples


def _axis_metrics() -> Iterator[ExportedMetric]:
    """Of every axis what was used, what of it was lost, and its limit, in the axis' own unit."""
    for name, axis in AXES.items():
        unit = axis_metric(axis)
        lost = "worker seconds" if name == "wall_s" else axis.about
        yield ExportedMetric(
            f"used_{unit}_total", "counter", f"Used so far: {axis.about}.", _axis(name, lambda s: s.used)
        )
        yield ExportedMetric(
            f"lost_{unit}_total", "counter", f"Used for what no report covers: {lost}.", _axis(name, lambda s: s.lost)
        )
        yield ExportedMetric(
            f"limit_{unit}", "gauge", f"Limit in budget: {axis.about}.", _axis(name, lambda s: s.limits)
        )


def _axis(name: str, values: Callable[[SweepStatus], Mapping[str, float | None]]) -> Callable[[SweepStatus], Samples]:
    return _one(lambda status: values(status).get(name))


METRICS: tuple[ExportedMetric, ...] = (
    ExportedMetric("sweep_state", "gauge", "1 for the state that the sweep is in, 0 for the others.", _stages),
    ExportedMetric("sessions_total", "counter", "Drivers that ran the sweep so far.", _one(lambda s: s.sessions)),
    ExportedMetric("trials", "gauge", "Trials by state.", _by("state", lambda s: s.trials, STATUSES)),
    ExportedMetric(
        "trials_given_up", "gauge", "Trials that were stopped before they began.", _one(lambda s: s.given_up)
    ),
    ExportedMetric(
        "trials_waiting",
        "gauge",
        "Trials that wait for a worker, for others at a rung, or for their turn.",
        _one(lambda s: sum(s.trials.get(state, 0) for state in WAITING)),
    ),
    ExportedMetric("reports_total", "counter", "Evaluations on dev that trials reported.", _one(lambda s: s.reports)),
    ExportedMetric(
        "decisions_total",
        "counter",
        "Decisions of the scheduler, by what it said.",
        _by("action", lambda s: s.decisions, [action.value for action in Action]),
    ),
    ExportedMetric("best_score", "gauge", "Best dev score so far, of trials that did not fail.", _one(_score)),
    ExportedMetric("best_trial_info", "gauge", "The trial that has it.", _best),
    ExportedMetric(
        "budget_used_ratio", "gauge", "Part of a limit that is used, by budget axis.", _shares(lambda s: s.used)
    ),
    ExportedMetric(
        "budget_reserved_ratio",
        "gauge",
        "Part of a limit that running trials are expected to use until their next reports.",
        _shares(lambda s: s.reserved),
    ),
    *_axis_metrics(),
    ExportedMetric(
        "trial_energy_joules_total",
        "counter",
        "Energy of a trial over all its attempts.",
        _by("trial", lambda s: s.trial_energy_j),
    ),
    ExportedMetric(
        "metered_energy_joules_total",
        "counter",
        "What energy meters counted, by the part of it: trials, overhead of the sweep, unattributed.",
        _by("part", lambda s: s.metered_j),
    ),
    ExportedMetric("done_ratio", "gauge", "Part of the sweep's work that is done.", _one(lambda s: s.forecast.share)),
    ExportedMetric(
        "remaining_seconds",
        "gauge",
        "Seconds that the sweep is expected to go on, as of its last event.",
        _one(lambda s: s.forecast.remaining_s),
    ),
    ExportedMetric(
        "last_event_timestamp_seconds", "gauge", "When the journal was last written.", _one(lambda s: s.last_event)
    ),
    ExportedMetric(
        "mlflow_behind_events",
        "gauge",
        "Events of the journal that MLflow has not yet.",
        _one(lambda s: s.mlflow_behind),
    ),
)
"""All metrics, in the order in which they are written."""
