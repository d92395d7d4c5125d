"""`SweepTables` from MLflow: the same tables as from the journal, through the same `assemble`.

Only MLflow's public client is used: one search for the runs of a sweep, one `get_metric_history` per trial and metric
(none for a trial with a single report, whose values come with the search).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from greenexp.errors import TrackingError, did_you_mean
from greenexp.records.assemble import assemble
from greenexp.records.at_rest import LogitsNames
from greenexp.records.decision import Verdict
from greenexp.records.energy import EnergyMeasurement, MeteredDevice
from greenexp.records.exit_tables import ExitTables
from greenexp.records.held_out import HeldOutRecord
from greenexp.records.history import LimitReached, SweepHistory
from greenexp.records.policies import with_added
from greenexp.records.replayed import standing_logits
from greenexp.records.sweep_spec import SweepSpec
from greenexp.records.tables import DecisionFacts, HeldOutFacts, SweepFacts, SweepTables, TrialFacts
from greenexp.replay.standing import StandingLogits
from greenexp.tracking import names
from greenexp.tracking.artifacts import RunArtifacts
from greenexp.tracking.content import FORMAT
from greenexp.tracking.histories import read_histories
from greenexp.tracking.logits import fetch_exits, fetched_logits
from greenexp.tracking.places import without_continued
from greenexp.tracking.records import Series, metric_names, records_of
from greenexp.tracking.runs import find_runs, key_of, search
from greenexp.tracking.server import chosen_experiments, connect_existing, failures_as, redacted
from greenexp.tracking.texts import from_parts

THREADS = 8
"""Requests to a server under way at a time; against a database more than one gains nothing."""


@dataclass(frozen=True, slots=True)
class SweepEntry:
    """One sweep in an MLflow. began: seconds since the epoch."""

    name: str
    sweep_id: str
    experiment: str
    status: str
    began: float

    def __str__(self) -> str:
        return f"{self.name} ({self.status}), sweep {self.sweep_id}, experiment '{self.experiment}'"


def address(text: str) -> tuple[str, str | None]:
    """(uri, experiment or None) of what a user gave: an MLflow address, `address#experiment`, or an experiment's name.

    A name alone is looked for at MLFLOW_TRACKING_URI; InputError's sibling TrackingError if that is not set.
    """
    if "://" in text:
        uri, _, experiment = text.partition("#")
        return uri, experiment or None
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise TrackingError(
            f"'{text}' is neither a folder nor an MLflow address; if it is an experiment, say where: "
            "set MLFLOW_TRACKING_URI, or write ADDRESS#EXPERIMENT"
        )
    return uri, text


def read_tables(uri: str, experiment: str | None = None, sweep: str | None = None) -> SweepTables:
    """The tables of a sweep.

    sweep: its name, id (or the beginning of it) or the id of its run; needed only where there are several.
    Raises TrackingError, listing the sweeps there are, if none or more than one answers.
    """
    return assemble(read_facts(uri, experiment, sweep))


def read_facts(uri: str, experiment: str | None = None, sweep: str | None = None) -> SweepFacts:
    """The plain facts of a sweep; see `read_tables`."""
    with _recorded(uri, experiment, sweep) as (client, facts, runs, pool):
        metric, policies = facts.spec.metric.name, facts.history.policies

        def fetch(name: str, logits: LogitsNames) -> ExitTables:
            run = runs[name]
            tags = names.present(run.data.tags)
            return fetch_exits(RunArtifacts.of(client, run), logits, policies, metric, tags)

        standing = standing_logits(facts)
        found = pool.map(fetch, standing.keys(), standing.values())
        return dataclasses.replace(facts, replays=dict(zip(standing, found, strict=True)))


def read_logits(
    uri: str, experiment: str | None, sweep: str | None, choose: Callable[[SweepFacts], Iterable[str]]
) -> tuple[SweepFacts, dict[str, StandingLogits]]:
    """A sweep's facts, with nothing replayed, and the logits of the trials that `choose` names from them."""
    with _recorded(uri, experiment, sweep) as (client, facts, runs, _):
        standing, found = standing_logits(facts), {}
        for trial in choose(facts):
            run = runs[trial]
            tags = names.present(run.data.tags)
            with fetched_logits(RunArtifacts.of(client, run), standing[trial], tags) as logits:
                found[trial] = logits
        return facts, found


@contextmanager
def _recorded(
    uri: str, experiment: str | None, sweep: str | None
) -> Iterator[tuple[Any, SweepFacts, dict[str, Any], ThreadPoolExecutor]]:
    """(client, facts without what is replayed, trial -> its run, threads for more requests) of one sweep."""
    client = connect_existing(uri)
    with failures_as(uri):
        experiments = chosen_experiments(client, uri, () if experiment is None else (experiment,))
        parent = _choose(_sweep_runs(client, experiments), uri, sweep)
        runs: dict[str, Any] = {}
        for run in find_runs(client, [parent.info.experiment_id], parent.data.tags[names.SWEEP_ID]):
            role, name = key_of(run.data.tags)
            if role == names.TRIAL:
                runs.setdefault(name, run)
        threads = THREADS if uri.startswith("http") else 1
        with ThreadPoolExecutor(threads, thread_name_prefix="greenexp-reader") as pool:
            series = _series(client, uri, runs, pool)
            facts = _facts(parent.data.tags, {name: run.data.tags for name, run in runs.items()}, series)
            yield client, facts, runs, pool


def _sweep_runs(client: Any, experiments: Mapping[str, str]) -> list[tuple[Any, str]]:
    """(run, name of its experiment) of every sweep, oldest first."""
    found = without_continued(search(client, list(experiments), f"tags.`{names.KIND}` = '{names.SWEEP}'"))
    runs = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
    once = {run.data.tags[names.SWEEP_ID]: run for run in reversed(runs)}
    return [(run, experiments[run.info.experiment_id]) for run in runs if once[run.data.tags[names.SWEEP_ID]] is run]


def _entry(run: Any, experiment: str) -> SweepEntry:
    tags = run.data.tags
    return SweepEntry(
        name=tags[names.SWEEP_NAME],
        sweep_id=tags[names.SWEEP_ID],
        experiment=experiment,
        status=tags.get(names.STATUS, ""),
        began=run.info.start_time / 1000,
    )


def _choose(runs: list[tuple[Any, str]], uri: str, sweep: str | None) -> Any:
    chosen = [(run, experiment) for run, experiment in runs if sweep is None or _answers(run, sweep)]
    if len(chosen) == 1:
        return chosen[0][0]
    listed = "".join(f"\n  {_entry(run, experiment)}" for run, experiment in (chosen or runs))
    if not runs:
        raise TrackingError(f"no sweep of greenexp is recorded at {redacted(uri)}")
    if not chosen:
        near = did_you_mean(sweep or "", [run.data.tags[names.SWEEP_NAME] for run, _ in runs])
        raise TrackingError(f"no sweep '{sweep}' at {redacted(uri)}{near}; there are:{listed}")
    raise TrackingError(f"{len(chosen)} sweeps at {redacted(uri)}; say which one by its name or id:{listed}")


def _answers(run: Any, sweep: str) -> bool:
    tags = run.data.tags
    by_id = len(sweep) >= 4 and tags[names.SWEEP_ID].startswith(sweep)
    return sweep in {tags[names.SWEEP_NAME], run.info.run_id} or by_id


def _series(client: Any, uri: str, runs: Mapping[str, Any], pool: ThreadPoolExecutor) -> dict[str, Series]:
    """Trial -> metric -> step -> value, of what `records_of` needs."""
    reports = {name: from_parts(names.REPORTS, run.data.tags, []) for name, run in runs.items()}
    wanted = {name: metric_names(run.data.tags, run.data.metrics) for name, run in runs.items()}
    several = {run.info.run_id: wanted[name] for name, run in runs.items() if len(reports[name]) != 1}
    histories = read_histories(client, uri, several, pool)
    series: dict[str, Series] = {}
    for name, run in runs.items():
        if run.info.run_id in several:
            series[name] = histories[run.info.run_id]
        else:  # the run itself has the only point
            (report,) = reports[name]
            step = report.get("step", report["epoch"])
            series[name] = {key: {step: run.data.metrics[key]} for key in wanted[name]}
    return series


def _facts(
    sweep: Mapping[str, str], trials: Mapping[str, Mapping[str, str]], series: Mapping[str, Series]
) -> SweepFacts:
    facts = from_parts(names.FACTS, sweep)
    if facts is None or facts.pop("format") != FORMAT:
        raise TrackingError("the sweep's run in MLflow was not finished being written, or by another greenexp version")
    epochs = [
        (number, report)
        for trial, tags in trials.items()
        for number, report in enumerate(records_of(trial, tags, series[trial]))
    ]
    epochs.sort(key=lambda pair: (pair[1].time_s, pair[1].trial, pair[0]))
    spec = _spec(sweep)
    added, limit = facts.pop("added_policies", ()), facts.pop("limit")
    return SweepFacts(
        spec=spec,
        history=SweepHistory(
            **facts,
            limit=None if limit is None else LimitReached(**limit),
            policies=with_added((policy.to_json() for policy in spec.replay.policies), added),
            sessions=tuple(from_parts(names.SESSIONS, sweep, [])),
            measured=tuple(EnergyMeasurement.from_json(one) for one in from_parts(names.MEASURED, sweep, [])),
            metered=tuple(MeteredDevice.from_json(device) for device in from_parts(names.METERED, sweep, [])),
        ),
        trials=tuple(_trial_facts(row, trials.get(row["trial"], {})) for row in from_parts(names.PLAN, sweep, [])),
        epochs=tuple(report for _, report in epochs),
        decisions=_decisions(trials),
        held_out=_held_out(trials),
        continued=sweep.get(names.CONTINUED, ""),
    )


def _spec(sweep: Mapping[str, str]) -> SweepSpec:
    try:
        return SweepSpec.from_json(from_parts(names.SPEC, sweep, {}))
    except ValueError as error:
        raise TrackingError(f"the sweep file that MLflow has is of another greenexp version: {error}") from error


def _trial_facts(planned: Mapping[str, Any], tags: Mapping[str, str]) -> TrialFacts:
    status, reason, attempts, lost_wall_s, lost, broken = from_parts(names.STATE, tags, ["planned", "", 0, 0.0, {}, 0])
    return TrialFacts(
        trial=planned["trial"],
        configuration=planned["configuration"],
        index=planned["index"],
        fingerprint=planned["fingerprint"],
        initialisation_seed=planned["seeds"][0],
        order_seed=planned["seeds"][1],
        max_epochs=planned["max_epochs"],
        searched=planned["searched"],
        status=status,
        reason=reason,
        attempts=attempts,
        lost_wall_s=lost_wall_s,
        started=attempts > 0,
        lost=lost,
        broken=broken,
        fold=planned.get("fold"),
    )


def _held_out(trials: Mapping[str, Mapping[str, str]]) -> tuple[HeldOutFacts, ...]:
    found = [
        HeldOutFacts(trial, time_s, HeldOutRecord.from_json(record))
        for trial, tags in trials.items()
        for time_s, record in from_parts(names.HELD_OUT, tags, [])
    ]
    return tuple(sorted(found, key=lambda facts: (facts.time_s, facts.trial)))


def _decisions(trials: Mapping[str, Mapping[str, str]]) -> tuple[DecisionFacts, ...]:
    """In the order in which they fell. Earlier versions wrote fewer columns."""
    columns = (
        *("rung", "bracket", "action", "value", "cutoff", "reason", "time_s", "seeds", "noise"),
        *("front", "place", "level"),
    )
    rows = [
        {"trial": trial, **dict(zip(columns, row, strict=False))}
        for trial, tags in trials.items()
        for row in from_parts(names.DECISIONS, tags, [])
    ]
    decisions = [DecisionFacts(row.pop("time_s"), Verdict.from_json(row)) for row in rows]
    return tuple(sorted(decisions, key=lambda d: (d.time_s, d.verdict.trial, d.verdict.rung or 0)))
