"""What belongs into MLflow for a given state of a sweep: runs, parameters, tags, metric points. Pure.

The same journal always gives the same content, whatever was logged before and in how many steps: that is what makes
the writer, a sync after a crash and a second sync agree.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from greenexp.journal.state import SweepState, TrialState
from greenexp.records.decision import Verdict
from greenexp.records.epoch import EpochRecord
from greenexp.records.origins import ORIGINS
from greenexp.records.priced import PRICE
from greenexp.records.progress import Epochs
from greenexp.records.tables import SUMMED_COSTS
from greenexp.records.totals import CostTotals
from greenexp.tracking import names
from greenexp.tracking.description import description
from greenexp.tracking.texts import flat, param_texts, shortened, to_parts, value_text
from greenexp.tracking.tracked_sweep import SWEEP_KEY, RunKey, TrackedSweep

FORMAT = 1
_MS = 1000

_STATUS = {
    "planned": "SCHEDULED", "running": "RUNNING", "paused": "SCHEDULED", "finished": "FINISHED",
    "stopped": "FINISHED", "failed": "FAILED", "interrupted": "KILLED",
}  # fmt: skip
"""What became of a trial -> MLflow's word. Stopped early is a good end: MLflow shows KILLED as an error."""


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """One value of a metric; the time is the journal's, so that logging it again changes nothing."""

    name: str
    value: float
    step: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class RunContent:
    """A run without its metrics.

    status: MLflow's word; end_ms: None unless that is a final one; note: what greenexp describes it by
    """

    key: RunKey
    parent: RunKey | None
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    status: str
    start_ms: int
    end_ms: int | None
    note: str = ""


def run_content(tracked: TrackedSweep, key: RunKey) -> RunContent:
    """The content of one run."""
    role, name = key
    if role == names.SWEEP:
        return _sweep(tracked)
    if role == names.CONFIGURATION:
        return _configuration(tracked, name)
    return _trial(tracked, tracked.state.trials[name])


def _sweep(tracked: TrackedSweep) -> RunContent:
    state = tracked.state
    status, price = _sweep_status(tracked), _price(state)
    first = state.sessions[0].data if state.sessions else {}
    elsewhere = (PRICE, ORIGINS)  # they are read from SESSIONS
    environment = flat({name: fact for name, fact in first.items() if name not in elsewhere})
    facts = {
        "format": FORMAT, "name": state.header["name"], "fingerprint": state.header["fingerprint"],
        "began": state.began, "elapsed_s": state.elapsed_s, "complete": state.complete,
        "limit": dataclasses.asdict(state.limit) if state.limit else None,
        **({"added_policies": state.added_policies} if state.added_policies else {}),
    }  # fmt: skip
    tags = {
        **_identity(tracked, names.SWEEP),
        names.FINGERPRINT: str(state.header["fingerprint"]),
        names.STATUS: status,
        **{names.SESSION + names.clean(path): value_text(value, names.MAX_TAG) for path, value in environment.items()},
        **{names.PRICE + name: f"{value:.10g}" for name, value in price.items()},
        **to_parts(names.FACTS, facts),
        **to_parts(names.SPEC, state.header["spec"]),
        **to_parts(names.SESSIONS, [session.data for session in state.sessions]),
        **to_parts(names.MEASURED, [one.to_json() for one in state.measured]),
        **to_parts(names.METERED, [device.to_json() for device in state.metered.values()]),
        **to_parts(names.PLAN, [_planned(trial) for trial in state.trials.values()]),
    }
    last = state.sessions[-1].last if state.sessions else state.began
    final = {"running": "RUNNING", "planned": "SCHEDULED", "interrupted": "KILLED"}.get(status, "FINISHED")
    return RunContent(
        key=SWEEP_KEY,
        parent=None,
        name=shortened(str(state.header["name"]), names.MAX_NAME),
        params=param_texts(state.header["spec"]),
        tags=tags,
        status=final,
        start_ms=_ms(state.began),
        end_ms=_ms(last) if final in {"KILLED", "FINISHED"} else None,
        note=description(tracked, status, price),
    )


def _price(state: SweepState) -> dict[str, float]:
    """What the whole sweep cost, stopped, failed and repeated work included; what was not measured is left out."""
    if not state.reports_run:
        return {}
    records = [record for trial in state.trials.values() for _, _, record in trial.reports]
    totals = {cost: state.spent.total(cost) for cost in SUMMED_COSTS}
    counts = {
        "trials": float(sum(trial.attempts > 0 for trial in state.trials.values())),
        "examples_seen": float(sum(record.examples for record in records)),
    }
    return counts | {cost: total for cost, total in totals.items() if total is not None}


def _sweep_status(tracked: TrackedSweep) -> str:
    """planned, running, or how the last driver ended: finished, limit, interrupted."""
    if not tracked.state.sessions:
        return "planned"
    return tracked.state.sessions[-1].closed or "running"


def _planned(trial: TrialState) -> dict[str, Any]:
    """A trial as the reader needs it, whether or not it ever starts."""
    spec = trial.spec
    return {
        "trial": spec.trial, "configuration": spec.configuration, "index": spec.index,
        "fingerprint": spec.fingerprint, "seeds": [spec.seeds.initialisation, spec.seeds.order],
        "max_epochs": spec.settings.training.epochs, "searched": dict(spec.searched),
        **({} if spec.fold is None else {"fold": spec.fold.number}),
    }  # fmt: skip


def _configuration(tracked: TrackedSweep, name: str) -> RunContent:
    members = tracked.members(name)
    searched = members[0].spec.searched
    status = _joint_status({trial.status for trial in members}, tracked.live)
    seen = [tracked.seen[trial.spec.trial] for trial in members]
    return RunContent(
        key=(names.CONFIGURATION, name),
        parent=SWEEP_KEY,
        name=shortened(f"{name} {_described(searched)}".strip(), names.MAX_NAME),
        params=param_texts(searched),
        tags={**_identity(tracked, names.CONFIGURATION), names.CONFIGURATION_NAME: name},
        status=status,
        start_ms=_ms(min(times.first for times in seen)),
        end_ms=None if status == "RUNNING" else _ms(max(times.last for times in seen)),
    )


def _joint_status(statuses: set[str], live: bool) -> str:
    """A configuration runs while one of its seeds may; then it is what its least fortunate seed is."""
    if live and statuses & {"planned", "running", "paused", "interrupted"}:
        return "RUNNING"
    if "failed" in statuses:
        return "FAILED"
    return "FINISHED" if statuses <= {"finished", "stopped"} else "KILLED"


def _trial(tracked: TrackedSweep, trial: TrialState) -> RunContent:
    spec, seen = trial.spec, tracked.seen[trial.spec.trial]
    seeds = {names.SEED_PARAMS[name]: value for name, value in dataclasses.asdict(spec.seeds).items()}
    if spec.fold is not None:
        seeds |= {names.FOLD: spec.fold.number, names.FOLDS: spec.fold.of}
    first = {**flat(tracked.first_settings[spec.trial].to_json()), **seeds}
    now = flat(spec.settings.to_json())
    changed = {names.CHANGED + names.clean(path): value_text(v) for path, v in now.items() if first.get(path) != v}
    status = _STATUS[trial.status]
    if not tracked.live and status in {"RUNNING", "SCHEDULED"}:
        status = "KILLED"  # its driver is gone; a resumed sweep sets it running again
    tags = {
        **_identity(tracked, names.TRIAL),
        names.CONFIGURATION_NAME: spec.configuration,
        names.TRIAL_NAME: spec.trial,
        names.FINGERPRINT: spec.fingerprint,
        names.STATUS: trial.status,
        names.REASON: shortened(trial.reason, names.MAX_TAG),
        **changed,
        **to_parts(
            names.STATE, [trial.status, trial.reason, trial.attempts, trial.lost_wall_s, trial.lost, trial.broken]
        ),
        **to_parts(names.EXITS, _exits(record for _, _, record in trial.reports)),
        **to_parts(names.DECISIONS, _decisions(tracked, trial)),
        **to_parts(names.HELD_OUT, _held_out(tracked, trial)),
        **to_parts(names.REPORTS, _reports(trial)),
    }
    return RunContent(
        key=(names.TRIAL, spec.trial),
        parent=(names.CONFIGURATION, spec.configuration),
        name=shortened(f"{spec.trial} {_described(spec.searched)}".strip(), names.MAX_NAME),
        params=param_texts(first),
        tags=tags,
        status=status,
        start_ms=_ms(seen.first),
        end_ms=_ms(seen.last) if status in {"FINISHED", "FAILED", "KILLED"} else None,
    )


def _identity(tracked: TrackedSweep, role: str) -> dict[str, str]:
    return {
        names.KIND: role,
        names.SWEEP_NAME: shortened(str(tracked.state.header["name"]), names.MAX_TAG),
        names.SWEEP_ID: tracked.sweep_id,
        names.SOURCE: "greenexp",
    }


def _described(searched: Mapping[str, Any]) -> str:
    """`learning_rate=0.0012 weights=uniform`: what tells this configuration from the others."""
    parts = [
        f"{path.rpartition('.')[2]}={f'{value:.3g}' if isinstance(value, float) else value_text(value, 40)}"
        for path, value in searched.items()
    ]
    return shortened(" ".join(parts), 200)


def _exits(records: Iterable[EpochRecord]) -> dict[str, Any]:
    """Layer of each exit, layers and parameters of the model, and names of dev metrics in the order they appeared."""
    layers: dict[str, int] = {}
    metrics: dict[str, None] = {}
    model: dict[str, int] = {}
    for record in records:
        if record.encoder_layers is not None:
            model["encoder_layers"] = record.encoder_layers
        if record.parameters is not None:
            model["parameters"] = record.parameters
        for score in record.exits:
            layers[str(score.exit)] = score.layer
            metrics.update(dict.fromkeys(score.metrics))
    return {"layers": layers, "metrics": list(metrics), **model}


def _decisions(tracked: TrackedSweep, trial: TrialState) -> list[list[Any]]:
    return [
        [
            *(v.rung, v.bracket, v.action.value, v.value, v.cutoff, v.reason, time - tracked.state.began),
            *(v.seeds, v.noise, v.front, v.place, v.level),
        ]
        for time, v in trial.verdicts
    ]


def _held_out(tracked: TrackedSweep, trial: TrialState) -> list[list[Any]]:
    return [[time - tracked.state.began, record.to_json()] for time, record in trial.held_out]


def _reports(trial: TrialState) -> list[dict[str, Any]]:
    """Per report who made it, and what no metric can say.

    Why something was not measured, and what it was computed with, only when that changes.
    """
    rows: list[dict[str, Any]] = []
    reasons: Mapping[str, str] = {}
    circumstances: Mapping[str, str] = {}
    for attempt, _, record in trial.reports:
        row: dict[str, Any] = {"attempt": attempt, "epoch": record.epoch}
        if (step := names.step(record.epoch, trial.spec)) != record.epoch:
            row["step"] = step
        if record.dev_logits is not None:
            row["dev_logits"] = record.dev_logits
        if record.dev_examples is not None:
            row["dev_examples"] = record.dev_examples
        if record.last:
            row["last"] = True
        if dict(record.not_measured) != reasons:
            row["not_measured"] = reasons = dict(record.not_measured)
        if dict(record.computed_with) != circumstances:
            row["computed_with"] = circumstances = dict(record.computed_with)
        rows.append(row)
    return rows


def report_points(tracked: TrackedSweep, trial: TrialState, first: int = 0) -> Iterator[list[MetricPoint]]:
    """The points of each report from number `first` (from 0) on; the last point of each is its ATTEMPT."""
    reported: set[Epochs] = set()
    spent = CostTotals()
    for number, (attempt, time, record) in enumerate(trial.reports):
        prefix = names.series(attempt, record.epoch in reported)
        reported.add(record.epoch)
        spent.add(record.costs)
        if number < first:
            continue
        values = names.record_metrics(record)
        totals = {cost: spent.total(cost) for cost in SUMMED_COSTS}
        values.update({names.total(cost): float(total) for cost, total in totals.items() if total is not None})
        values[names.TIME] = time - tracked.state.began
        if record.dev_examples is not None:
            values[names.DEV_EXAMPLES] = float(record.dev_examples)
        values[names.ATTEMPT] = float(attempt)
        step = names.step(record.epoch, trial.spec)
        if trial.spec.settings.training.reports_per_epoch > 1:
            values = {names.EPOCH: float(record.epoch), **values}
        yield [MetricPoint(prefix + name, value, step, _ms(time)) for name, value in values.items()]


def report_markers(tracked: TrackedSweep, trial: TrialState) -> Iterator[tuple[MetricPoint, MetricPoint]]:
    """The ATTEMPT of each report, which is its last point, and its TIME, whose value no other report of a trial has."""
    reported: set[Epochs] = set()
    for attempt, time, record in trial.reports:
        prefix = names.series(attempt, record.epoch in reported)
        reported.add(record.epoch)
        step = names.step(record.epoch, trial.spec)
        yield (
            MetricPoint(prefix + names.ATTEMPT, float(attempt), step, _ms(time)),
            MetricPoint(prefix + names.TIME, time - tracked.state.began, step, _ms(time)),
        )


def other_points(trial: TrialState) -> list[MetricPoint]:
    """What is logged besides reports: what was compared at rungs, and results on the test set."""
    return [*_rung_points(trial), *_held_out_points(trial)]


def _held_out_points(trial: TrialState) -> list[MetricPoint]:
    found = []
    for number, (time, record) in enumerate(trial.held_out, start=1):
        values: dict[str, float | None] = {names.TEST_SCORE: record.score}
        for score in record.exits:
            values.update({names.held_out_metric(score.exit, name): value for name, value in score.metrics.items()})
        for name, value in values.items():
            if value is not None and math.isfinite(value):
                found.append(MetricPoint(name, float(value), number, _ms(time)))
    return found


def _rung_points(trial: TrialState) -> list[MetricPoint]:
    """What the scheduler compared at each rung: the first verdict there (a pause is followed by its release)."""
    earliest: dict[Epochs, tuple[float, Verdict]] = {}
    for time, verdict in trial.verdicts:
        if verdict.rung is not None:
            earliest.setdefault(verdict.rung, (time, verdict))
    found = []
    for rung, (time, verdict) in earliest.items():
        pair = ((names.RUNG_VALUE, verdict.value), (names.RUNG_CUTOFF, verdict.cutoff))
        step = names.step(rung, trial.spec)
        found += [MetricPoint(name, float(value), step, _ms(time)) for name, value in pair if value is not None]
    return found


def _ms(time: float) -> int:
    return round(time * _MS)
